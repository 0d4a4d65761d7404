@0xf4f6a45507b6de72;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("dictionary");

struct Body {
  union {
    prefix @0 :Text;        # The question.
    words @1 :List(Text);   # The answer: all words that begin so.
  }
}
