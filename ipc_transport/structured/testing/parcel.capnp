# What structured channels carry in tests.

@0xa1d0b3c3a6b2c9e4;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("sluice_test");

struct Parcel {
  number @0 :UInt64;
  parts @1 :List(Data);

  # As a user's root has one.
  union {
    none @2 :Void;
    text @3 :Text;
    inner @4 :Parcel;
  }
}

struct Letter {
  number @0 :UInt64;
}
