@0xeee6f2eadaf466ef;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("digest");

# A text on the way there, its digest on the way back.
struct Body {
  text @0 :Text;
  digest @1 :UInt64;
}
