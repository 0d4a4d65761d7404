@0xfa92010527a17b4a;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("files");

# What a file service and its clients say to each other. Each message is one of these.
struct Body {
  union {
    done @0 :Void;           # The last answer to `list`.
    log @1 :Text;            # A line for the log of the service. Wants no answer.
    read @2 :Text;           # Asks for a small file: answered by `text` or `failure`.
    list @3 :Text;           # Asks for names with this beginning: answered by many `name`, then `done`.
    open @4 :Text;           # Asks for a file's descriptor: answered by `opened` or `failure`.
    text @5 :Text;
    name @6 :Text;
    opened @7 :Void;         # Carries the descriptor.
    content @8 :List(Data);  # A file of any size, in parts.
    failure @9 :Text;
  }
}
