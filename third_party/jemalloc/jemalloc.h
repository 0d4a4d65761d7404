// jemalloc's API under the names that //third_party/jemalloc gives it: sluice_je_mallocx() is jemalloc's mallocx().
//
// Include this, and never <jemalloc/jemalloc.h> beside it: both declare the same names in two ways.

#ifndef SLUICE_THIRD_PARTY_JEMALLOC_JEMALLOC_H_
#define SLUICE_THIRD_PARTY_JEMALLOC_JEMALLOC_H_

// jemalloc declares its functions as je_*, and leaves it to these macros what that means.
#define JEMALLOC_NO_RENAME
#define je_aligned_alloc sluice_je_aligned_alloc
#define je_calloc sluice_je_calloc
#define je_dallocx sluice_je_dallocx
#define je_free sluice_je_free
#define je_mallctl sluice_je_mallctl
#define je_mallctlbymib sluice_je_mallctlbymib
#define je_mallctlnametomib sluice_je_mallctlnametomib
#define je_malloc sluice_je_malloc
#define je_malloc_conf sluice_je_malloc_conf
#define je_malloc_conf_2_conf_harder sluice_je_malloc_conf_2_conf_harder
#define je_malloc_message sluice_je_malloc_message
#define je_malloc_stats_print sluice_je_malloc_stats_print
#define je_malloc_usable_size sluice_je_malloc_usable_size
#define je_mallocx sluice_je_mallocx
#define je_memalign sluice_je_memalign
#define je_nallocx sluice_je_nallocx
#define je_posix_memalign sluice_je_posix_memalign
#define je_rallocx sluice_je_rallocx
#define je_realloc sluice_je_realloc
#define je_sallocx sluice_je_sallocx
#define je_sdallocx sluice_je_sdallocx
#define je_valloc sluice_je_valloc
#define je_xallocx sluice_je_xallocx

#include <jemalloc/jemalloc.h>  // IWYU pragma: export

// jemalloc.h undefines je_* itself unless JEMALLOC_NO_DEMANGLE is set.
#undef JEMALLOC_NO_RENAME

#endif  // SLUICE_THIRD_PARTY_JEMALLOC_JEMALLOC_H_
