/* SPDX-License-Identifier: Apache-2.0
 *
 * For LD_PRELOAD: what a kernel, a resolver or a clock can do to a process, when a test says so. It says so in a file
 * that all processes map, FAULTS_FILE.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* As test_machine.py writes it: 64 bit each. */
struct faults {
    _Atomic int64_t fail_from; /* allocations of the module and its libraries fail from that one on; 0: none */
    _Atomic int64_t fail_many; /* so many of them */
    _Atomic int64_t allocated; /* they count here */
    _Atomic int64_t clock;     /* seconds to add to the wall clock */
    _Atomic int64_t resolver;  /* 1: finds nothing for now; else: takes so many milliseconds; below 0: of names alone */
    _Atomic int64_t threads;   /* 1: none can be made */
    _Atomic int64_t forks;     /* 1: none can be made */
    _Atomic int64_t sockets;   /* no descriptor from that number on is left for one; 1: none at all */
    _Atomic int64_t passed;    /* seconds that have passed by the clock that nobody sets */
    _Atomic int64_t held;      /* 1: a process that is forked now stays where it is */
    _Atomic int64_t names;     /* so many times the resolver was asked for a name */
};

static struct faults none;
static struct faults *faults = &none;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAULTS_FILE");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *mapped = fd >= 0 ? mmap(NULL, sizeof none, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;

    if (mapped != MAP_FAILED) {
        faults = mapped;
    }
    if (fd >= 0) {
        close(fd);
    }
}

#ifdef WITH_MALLOC
/* glibc's own names for them: dlsym() itself allocates. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

/* Of the module, libldap, liblber and libcrypto. APR's pools are not concerned: httpd ends a process that has no memory
 * for one. */
static int must_fail(const void *caller)
{
    static __thread int asking;
    Dl_info info;
    int ours;
    int64_t number, from = atomic_load(&faults->fail_from);

    if (!from || asking) {
        return 0;
    }
    asking = 1;
    ours = dladdr(caller, &info) && info.dli_fname &&
           (strstr(info.dli_fname, "mod_authstatus") || strstr(info.dli_fname, "libldap") ||
            strstr(info.dli_fname, "liblber") || strstr(info.dli_fname, "libcrypto"));
    asking = 0;
    if (!ours) {
        return 0;
    }
    number = atomic_fetch_add(&faults->allocated, 1) + 1;
    return number >= from && number < from + atomic_load(&faults->fail_many);
}

#define OR_FAIL(call) (must_fail(__builtin_return_address(0)) ? (errno = ENOMEM, NULL) : (call))

void *malloc(size_t size)
{
    return OR_FAIL(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return OR_FAIL(__libc_calloc(count, size));
}

void *realloc(void *old, size_t size)
{
    return OR_FAIL(__libc_realloc(old, size));
}
#endif

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec precise;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *into)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (into) {
        *into = now.tv_sec;
    }
    return now.tv_sec;
}

int clock_gettime(clockid_t which, struct timespec *now)
{
    static __typeof__(&clock_gettime) next;
    int result;

    if (!next) {
        next = NEXT(clock_gettime);
    }
    result = next(which, now);
    if (which == CLOCK_REALTIME) {
        now->tv_sec += (time_t)atomic_load(&faults->clock);
    } else if (which == CLOCK_MONOTONIC) {
        now->tv_sec += (time_t)atomic_load(&faults->passed);
    }
    return result;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    return atomic_load(&faults->threads) ? EAGAIN : NEXT(pthread_create)(thread, attributes, start, argument);
}

pid_t fork(void)
{
    pid_t pid;

    if (atomic_load(&faults->forks)) {
        errno = EAGAIN;
        return -1;
    }
    pid = NEXT(fork)();
    while (pid == 0 && atomic_load(&faults->held)) {
        usleep(1000);
    }
    return pid;
}

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const argv[], char *const environment[])
{
    return atomic_load(&faults->forks) ? EAGAIN : NEXT(posix_spawn)(pid, path, actions, attributes, argv, environment);
}

int socket(int domain, int type, int protocol)
{
    const int64_t most = atomic_load(&faults->sockets);
    int fd = most == 1 ? -1 : NEXT(socket)(domain, type, protocol);

    if (most && fd >= most) {
        close(fd);
        fd = -1;
    }
    if (most && fd < 0) {
        errno = EMFILE;
    }
    return fd;
}

/* glibc's resolver reads files: without descriptors it says that the name does not exist. */
static int may_open(void)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    if (fd < 0) {
        return 0;
    }
    close(fd);
    return 1;
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    int64_t fault = hints && (hints->ai_flags & AI_NUMERICHOST) ? 0 : atomic_load(&faults->resolver);
    const int is_name = host && !strchr(host, ':') && host[strspn(host, "0123456789.")];

    if (is_name) {
        atomic_fetch_add(&faults->names, 1);
    }
    if (is_name && !may_open()) {
        return EAI_NONAME;
    }
    if (fault == 1) {
        return EAI_AGAIN;
    }
    if (fault > 1) {
        usleep((useconds_t)fault * 1000);
    }
    if (fault < 0 && is_name) {
        usleep((useconds_t)-fault * 1000);
    }
    return NEXT(getaddrinfo)(host, service, hints, found);
}
