// Where the renamed jemalloc takes its options from: from here, and not from MALLOC_CONF and /etc/malloc.conf, which
// are meant for the program's own malloc.

#include <sys/types.h>

#include <cerrno>
#include <cstddef>

extern "C" {

// It makes no arenas but one by itself: numbers of arenas are few, and sessions need them.
extern const char* sluice_je_malloc_conf;
const char* sluice_je_malloc_conf = "narenas:1";

// What it calls for getenv and its kin.
char* sluice_je_getenv(const char* /*name*/) { return nullptr; }
char* sluice_je_secure_getenv(const char* /*name*/) { return nullptr; }

ssize_t sluice_je_readlink(const char* /*path*/, char* /*buffer*/, size_t /*bytes*/) {
  errno = ENOENT;
  return -1;
}
ssize_t sluice_je_readlinkat(int /*folder*/, const char* path, char* buffer, size_t bytes) {
  return sluice_je_readlink(path, buffer, bytes);
}

}  // extern "C"
