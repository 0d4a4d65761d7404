# What a memory cache and its clients say to each other.

@0xb7e4c1d09a5f2c63;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("cache_demo");

struct Body {
  # The members are the kinds of messages.
  union {
    getCacheReq @0 :GetCacheReq;
    getCacheRsp @1 :GetCacheRsp;
    error @2 :Error;
  }
}

struct GetCacheReq {
  fileName @0 :Text;
}

struct GetCacheRsp {
  fileParts @0 :List(FilePart);  # In the file's order; at least one, which of an empty file is empty.
  buildNanos @1 :UInt64;  # How long the server took to build this answer, once.
}

struct FilePart {
  data @0 :Data;
  size @1 :UInt64;  # Of `data`, in bytes.
  hash @2 :UInt64;  # Of `data`: XXH3, 64 bits.
}

struct Error {
  # Instead of getCacheRsp.
  code @0 :UInt16;  # An absl::StatusCode.
  text @1 :Text;
}
