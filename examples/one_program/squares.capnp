@0xb75fbe6d8e8e8947;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("one_program");

# What the two processes say to each other: a request fills in `first`, its answer the other.
struct Body {
  first @0 :UInt64;
  squares @1 :List(UInt64);
}
