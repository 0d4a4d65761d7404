// The malloc of a process stays what the program chose, whatever of Sluice it links. The same program three times: with
// the C library's, with jemalloc and with tcmalloc linked statically.

#include <dlfcn.h>
#include <elf.h>
#include <malloc.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/testing/universe.h"
#include "ipc_shm/loan.h"
#include "ipc_shm/testing/model_object.h"
#include "ipc_shm_classic/session.h"
#include "ipc_shm_jemalloc/session.h"
#include "ipc_transport/channel.h"
#include "ipc_transport/structured/channel.h"
#include "ipc_transport/structured/message.h"
#include "ipc_transport/structured/testing/parcel.capnp.h"
#include "ipc_transport/structured/testing/parcels.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"

// That of the arenas, which is none of this program's business.
extern "C" int sluice_je_mallctl(const char* name, void* old, std::size_t* old_size, void* fresh,
                                 std::size_t fresh_size);

namespace ipc::testing {
namespace {

namespace fs = std::filesystem;
using ::sluice_test::Parcel;
using ::testing::Contains;
using ::testing::IsEmpty;

constexpr const char* kOfMalloc[] = {
    "malloc", "free", "calloc", "realloc", "posix_memalign", "aligned_alloc", "_Znwm", "_ZdlPv",
};
constexpr const char* kOfJemalloc[] = {
    "mallocx", "rallocx", "xallocx", "sallocx", "dallocx", "sdallocx", "nallocx", "mallctl", "malloc_conf",
};

bool HasOwnMalloc() { return std::getenv("OWN_MALLOC") != nullptr; }

// Names that the program at `path` defines for others; empty: it was stripped of them.
std::set<std::string> SymbolsOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string image{std::istreambuf_iterator<char>(file), {}};
  const auto at = [&]<typename T>(std::size_t offset, T) {
    T value{};
    if (offset + sizeof(T) <= image.size()) std::memcpy(&value, image.data() + offset, sizeof(T));
    return value;
  };
  std::set<std::string> names;
  const Elf64_Ehdr header = at(0, Elf64_Ehdr());
  for (std::size_t i = 0; i < header.e_shnum; ++i) {
    const Elf64_Shdr section = at(header.e_shoff + i * header.e_shentsize, Elf64_Shdr());
    if (section.sh_type != SHT_SYMTAB) continue;
    const Elf64_Shdr strings = at(header.e_shoff + section.sh_link * header.e_shentsize, Elf64_Shdr());
    for (std::size_t offset = 0; offset < section.sh_size; offset += sizeof(Elf64_Sym)) {
      const Elf64_Sym symbol = at(section.sh_offset + offset, Elf64_Sym());
      if (symbol.st_shndx == SHN_UNDEF || ELF64_ST_BIND(symbol.st_info) == STB_LOCAL) continue;
      names.insert(image.c_str() + strings.sh_offset + symbol.st_name);
    }
  }
  return names;
}

// How many bytes this thread has had from the arenas' jemalloc by itself.
std::uint64_t BytesFromArenasJemalloc() {
  std::uint64_t bytes = 0;
  std::size_t size = sizeof(bytes);
  EXPECT_EQ(sluice_je_mallctl("thread.allocated", &bytes, &size, nullptr, 0), 0);
  return bytes;
}

// By way of a volatile, so that the compiler cannot leave the allocation out.
void Discard(void* memory, void (*release)(void*)) {
  void* volatile kept = memory;
  EXPECT_NE(kept, nullptr);
  release(kept);
}

void ExpectMallocIsTheProgramsOwn() {
  const std::uint64_t before = BytesFromArenasJemalloc();
  for (const std::size_t bytes : {std::size_t{100}, std::size_t{10'000}, std::size_t{10'000'000}}) {
    Discard(std::malloc(bytes), std::free);
    Discard(std::calloc(bytes, 2), std::free);
    Discard(std::realloc(std::malloc(10), bytes), std::free);
    Discard(std::aligned_alloc(4096, 4096), std::free);
    void* aligned = nullptr;
    EXPECT_EQ(posix_memalign(&aligned, 4096, bytes), 0);
    Discard(aligned, std::free);
    Discard(::operator new(bytes), [](void* memory) { ::operator delete(memory); });
  }
  EXPECT_EQ(BytesFromArenasJemalloc(), before);
}

template <typename Session>
int Borrow(const std::vector<std::string>& arguments) {
  absl::StatusOr<Session> session = Session::Connect(kTestClient, kTestServer, OptionsIn(arguments[0]));
  if (!session.ok()) return 1;
  Channel raw = session->TakeChannel(0);
  const absl::StatusOr<shm::LoanRef> ref = shm::ReceiveLoan(raw, TimeLimit());
  if (!ref.ok()) return 2;
  absl::StatusOr<std::shared_ptr<const ModelObject>> object = session->template Borrow<ModelObject>(*ref);
  if (!object.ok() || !(*object)->IsGood()) return 3;
  auto channel = StructuredChannel<Parcel>::Upgrade(std::move(raw), *session);
  absl::StatusOr<Incoming<Parcel>> message = channel.Receive(TimeLimit());
  return message.ok() && IsFilled(message->body(), 1, 3, 100'000) ? 0 : 4;
}

SLUICE_CHILD_ROLE(classic_borrower) { return Borrow<session::shm::classic::Session>(arguments); }
SLUICE_CHILD_ROLE(jemalloc_borrower) { return Borrow<session::shm::jemalloc::Session>(arguments); }

template <typename Server>
void LendAndSend(const char* borrower) {
  const TempDir folder;
  ASSERT_OK_AND_ASSIGN(Server server, Server::Listen(kTestServer, ServerOptionsIn(folder.path())));
  Child child = Child::Start(borrower, {folder.path()});
  ASSERT_OK_AND_ASSIGN(auto session, server.Accept(TimeLimit()));
  Channel raw = session.TakeChannel(0);
  ASSERT_OK_AND_ASSIGN(const auto object, session.arena().template Construct<ModelObject>(7, 300'000));
  ASSERT_OK_AND_ASSIGN(shm::Loan loan, session.Lend(object));
  ASSERT_OK(shm::SendLoan(raw, std::move(loan), TimeLimit()));
  auto channel = StructuredChannel<Parcel>::Upgrade(std::move(raw), session);
  Message<Parcel> message = channel.NewMessage();
  Fill(message.body(), 1, 3, 100'000);
  ASSERT_OK(channel.Send(std::move(message), TimeLimit()));
  EXPECT_EQ(child.Wait(), 0);
  ExpectMallocIsTheProgramsOwn();
}

TEST(ProcessMallocTest, MallocIsWhereTheProgramHasIt) {
  for (const char* const name : kOfMalloc) {
    Dl_info found = {};
    ASSERT_NE(dladdr(dlsym(RTLD_DEFAULT, name), &found), 0) << name;
    const std::string object = fs::canonical(found.dli_fname).filename();
    const std::string libraries = *name == '_' ? "libstdc++" : "libc";
    EXPECT_EQ(object.starts_with(libraries), !HasOwnMalloc()) << name << " is " << object << "'s";
  }
}

TEST(ProcessMallocTest, TheCLibraryCountsItsOwn) {
  if (HasOwnMalloc()) GTEST_SKIP() << "another one has malloc";
  const std::size_t before = mallinfo2().uordblks;
  void* volatile memory = std::malloc(100'000);
  EXPECT_GE(mallinfo2().uordblks, before + 100'000);
  std::free(memory);
}

// Of this program, and of perf_demo's, which link all of Sluice.
TEST(ProcessMallocTest, NoNameOfJemallocsIsDefined) {
  if (HasOwnMalloc()) GTEST_SKIP() << "it may be jemalloc";
  for (const std::string& path : {std::string("/proc/self/exe"), std::string(std::getenv("CACHE_SERVER"))}) {
    const std::set<std::string> symbols = SymbolsOf(path);
    EXPECT_THAT(symbols, Contains("sluice_je_mallocx")) << path;
    std::vector<std::string> taken;
    for (const std::string& symbol : symbols) {
      if (symbol.starts_with("je_")) taken.push_back(symbol);
    }
    for (const char* const name : kOfMalloc) {
      if (symbols.contains(name)) taken.push_back(name);
    }
    for (const char* const name : kOfJemalloc) {
      if (symbols.contains(name)) taken.push_back(name);
    }
    EXPECT_THAT(taken, IsEmpty()) << path;
  }
}

TEST(ProcessMallocTest, JemallocSessionsWorkBesideIt) {
  LendAndSend<session::shm::jemalloc::Server>("jemalloc_borrower");
}

TEST(ProcessMallocTest, ClassicSessionsWorkBesideIt) { LendAndSend<session::shm::classic::Server>("classic_borrower"); }

}  // namespace
}  // namespace ipc::testing
