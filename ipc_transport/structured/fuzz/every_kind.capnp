# One field of each kind that Cap'n Proto has, but for capabilities.

@0xc3f1a4d2b7e85960;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("sluice_test");

enum Colour {
  red @0;
  green @1;
}

struct EveryKind {
  nothing @0 :Void;
  flag @1 :Bool;
  byte @2 :Int8;
  half @3 :UInt16;
  single @4 :Float32;
  number @5 :UInt64;
  colour @6 :Colour;
  text @7 :Text;
  data @8 :Data;
  voids @9 :List(Void);
  flags @10 :List(Bool);
  bytes @11 :List(UInt8);
  numbers @12 :List(UInt64);
  colours @13 :List(Colour);
  texts @14 :List(Text);
  lists @15 :List(List(Data));
  kinds @16 :List(EveryKind);
  anything @17 :AnyPointer;
  union {
    none @18 :Void;
    inner @19 :EveryKind;
    word @20 :UInt32;
  }
  names :group {
    first @21 :Text;
    count @22 :UInt32 = 7;
  }
}
