# Shows doxygen the public part of a header, with our `//` comments as its documentation.
#
# - A comment before a declaration, and one behind a member, become documentation; the first of the file is that of the
#   file. Functions below one that has a comment get it too where they are its overloads, or where it begins with "As",
#   "Of", "Return" or "The same".
# - What is private, protected (but in BufferedPipe, which users derive from), a friend, "for sessions", or speaks of
#   internal types is left out, and so are bodies. `inline namespace sluice_0` does not show.
# - The classes behind the sessions of shared memory are in internal/ folders, but users see them by aliases: there,
#   `namespace internal` does not show.

function starts(text, what) { return index(text, what) == 1 }

function indent_of(line) { match(line, /^ */); return RLENGTH }

# The name of the function that `text` declares; "" if it declares none.
function function_name(text) {
  gsub(/noexcept\(/, "", text)
  if (!match(text, /(operator[^(]+|~?[A-Za-z_]+)\(/)) return ""
  return substr(text, RSTART, RLENGTH - 1)
}

# `text` up to its body or its initialisers.
function signature(text) {
  while (match(text, /\{[0-9]*\}/) && substr(text, RSTART - 1, 1) !~ /[) ]/ || match(text, /= \{\}/)) {
    braced = substr(text, RSTART, RLENGTH)
    gsub(/\{/, "\001", braced)
    gsub(/\}/, "\002", braced)
    text = substr(text, 1, RSTART - 1) braced substr(text, RSTART + RLENGTH)
  }
  if (match(text, /[ \n]+: [A-Za-z_:<>]+\(/)) text = substr(text, 1, RSTART - 1)
  sub(/ *\{.*/, "", text)
  gsub(/\001/, "{", text)
  gsub(/\002/, "}", text)
  return text
}

# `count` of the character `c` in `text`, without what comments say.
function count(text, c) { gsub(/\/\/[^\n]*/, "", text); return gsub("[" c "]", "", text) }

function print_comment(n, pad,   i, code, line) {
  for (i = 1; i <= n; ++i) {
    line = comment[i]
    if (!code && starts(line, "   ") && (i == 1 || comment[i - 1] == "")) { print pad "/// @code{.cpp}"; code = 1 }
    if (code && line != "" && !starts(line, "   ")) { print pad "/// @endcode"; code = 0 }
    gsub(/\/\*[a-z_]+=\*\/ ?/, "", line)
    print pad "///" line
  }
  if (code) print pad "/// @endcode"
}

# Whether the next line belongs to the declaration so far.
function is_open(text) {
  gsub(/ *\/\/[^\n]*/, "", text)
  return text !~ /[;{},:]$/ || (text ~ /,$/ && count(text, "(") > count(text, ")"))
}

BEGIN { is_header_comment = 1 }

FNR == 1 {
  is_behind_alias = FILENAME ~ /\/internal\//
  group = FILENAME
  sub(/.*\/ipc_/, "ipc_", group)
  sub(/^.*\.\//, "", group)
  sub(/\/(internal\/)?[^\/]*$/, "", group)
  gsub(/\//, "_", group)
}

/^inline namespace sluice_0 \{$/ || /^\}  \/\/ namespace sluice_0$/ { next }
/^namespace internal \{$/ || /^\}  \/\/ namespace internal$/ {
  if (!is_behind_alias) skips_internal = /\{$/
  comments = 0
  next
}
skips_internal { next }

# The rest of a section that is left out.
in_left_out {
  ends_class = $0 ~ /^ *\};/ && indent_of($0) == section_indent - 1
  ends_section = $0 ~ /^ *(public|protected):$/ && indent_of($0) == section_indent
  if (!ends_class && !ends_section) next
  in_left_out = 0
}
/^ *private:$/ || (/^ *protected:$/ && FILENAME !~ /buffered_pipe\.h$/) {
  in_left_out = 1
  section_indent = indent_of($0)
  comments = 0
  next
}

# A comment of its own, or the next line of one behind a member.
/^ *\/\// {
  line = $0
  sub(/^ *\/\//, "", line)
  if (behind && indent_of($0) > behind) { print "///<" line; next }
  comment[++comments] = line
  next
}

/^ *$/ {
  if (is_header_comment && comments) {
    print "/// @file"
    print_comment(comments, "")
    print "/// @ingroup " group
    is_header_comment = 0
  }
  comments = behind = 0
  last_name = last_is_shared = ""
  print
  next
}

# Preprocessor, namespaces, ends of classes.
/^#/ || /^namespace / || /^ *\};?( +\/\/.*)?$/ || /^ *(public|protected):$/ { comments = 0; print; next }

{
  declaration = $0
  while (is_open(declaration) && (getline next_line) > 0) declaration = declaration "\n" next_line
  pad = substr($0, 1, indent_of($0))
  head = signature(declaration)
  is_type = head ~ /^ *(template <[^\n]*\n *)?(class|struct|enum|union|concept|using) / || head ~ /\n *(concept|requires) /
  is_function = !is_type && head ~ /\(/ && (head ~ /operator *=/ || head !~ /^[^(]*=/)
  name = is_function ? function_name(head) : ""
  if (is_function || head ~ /(^|\n) *friend /) {
    while (count(declaration, "{") > count(declaration, "}") && (getline next_line) > 0) declaration = declaration "\n" next_line
  }
  is_for_sessions = comments && comment[1] ~ /^ For (a session|sessions)[,.:]/
  is_for_us = is_behind_alias && is_function && (pad == "" || head ~ /^ *explicit /)
  is_no_call = head ~ /(^|\n) *friend / || head ~ /= delete;$/
  if (is_for_sessions || is_for_us || is_no_call || (head ~ /internal::/ && !is_type)) { comments = 0; next }

  if (!comments && is_function && last_count && (name == last_name || last_is_shared)) {
    for (i = 1; i <= last_count; ++i) comment[i] = last[i]
    comments = last_count
  }
  is_alias = head ~ /^ +using /  # Of a type of the function below it, and between that and its comment.
  last_count = is_function || is_alias ? comments : 0
  for (i = 1; i <= last_count; ++i) last[i] = comment[i]
  last_name = name
  last_is_shared = is_alias || (comments && comment[1] ~ /^ (As|Of|Return|The same) /)

  print_comment(comments, pad)
  if (pad == "" && declaration !~ /^(template <[^\n]*\n)?(class|struct) [A-Za-z]+;$/) print "/// @ingroup " group
  if (pad == "" && is_behind_alias) print "/// @headerfile session.h \"ipc_shm_classic/session.h\""
  comments = behind = 0
  if (is_function && declaration ~ /[{}]( +\/\/[^\n]*)?$/) {
    print head ";"
    next
  }
  gsub(/internal::/, "", declaration)
  if (match(declaration, /[;,]  +\/\/ /)) {
    behind = length(pad)
    if (!behind) behind = 1
    sub(/[;,]  +\/\/ /, substr(declaration, RSTART, 1) "  ///< ", declaration)
  }
  print declaration
}
