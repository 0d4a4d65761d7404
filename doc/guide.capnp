@0xbc08198191b71d8e;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("guide");

struct Greeting {
  union {
    name @0 :Text;
    text @1 :Text;
    picture @2 :Data;
  }
}
