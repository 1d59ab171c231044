/* SPDX-License-Identifier: Apache-2.0
 *
 * The servers that the configuration names, by their addresses. A .htaccess file or a referral may name one of them in
 * another way: by an address, an alias, a name of this machine.
 */
#include "ldap_private.h"

#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Time for which addresses are used: of all names, and if some could not be resolved. */
#define FRESH (60 * AS_MONO_SECOND)
#define FRESH_IN_PART (5 * AS_MONO_SECOND)
/* Addresses of one name, and of this machine. More are ignored. */
#define ADDRESSES_MOST 32
#define OWN_MOST 64

/* An IPv6 address, or an IPv4 address as one (RFC 4291 2.5.5.2); zero: this machine. */
typedef struct as_address {
    unsigned char octets[16];
} as_address;

typedef struct as_resolved {
    int count;
    as_address addresses[ADDRESSES_MOST];
} as_resolved;

struct as_addresses {
    const as_ldap_server *servers;
    int count;
    pthread_mutex_t mutex; /* of the members below */
    pthread_cond_t changed;
    bool known, resolving;
    as_mono until;
    as_resolved *resolved; /* `count` of them */
};

static bool is_same_service(int one, int other)
{
    return one == other || (as_port_is_usual(one) && as_port_is_usual(other));
}

/* ---- addresses ---- */

static bool convert(const struct sockaddr *from, as_address *to)
{
    memset(to, 0, sizeof(*to));
    if (from && from->sa_family == AF_INET) {
        to->octets[10] = to->octets[11] = 0xff;
        memcpy(to->octets + 12, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
        return true;
    }
    if (from && from->sa_family == AF_INET6) {
        memcpy(to->octets, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
        return true;
    }
    return false;
}

static bool is_same(const as_address *one, const as_address *other)
{
    return memcmp(one->octets, other->octets, sizeof(one->octets)) == 0;
}

static bool is_loopback(const as_address *address)
{
    struct in6_addr in;

    memcpy(&in, address->octets, sizeof(in));
    return IN6_IS_ADDR_LOOPBACK(&in) || (IN6_IS_ADDR_V4MAPPED(&in) && address->octets[12] == 127);
}

static int list_own(as_address own[OWN_MOST])
{
    struct ifaddrs *all = NULL, *one;
    int count = 0;

    if (getifaddrs(&all) != 0) {
        return 0;
    }
    for (one = all; one && count < OWN_MOST; one = one->ifa_next) {
        count += convert(one->ifa_addr, &own[count]);
    }
    freeifaddrs(all);
    return count;
}

/* Replaces an address of this machine by zero: a server here may listen on all of them. */
static void clear_own(as_address *address, const as_address *own, int own_count)
{
    int i = 0;

    while (i < own_count && !is_same(address, &own[i])) {
        i++;
    }
    if (i < own_count || is_loopback(address)) {
        memset(address, 0, sizeof(*address));
    }
}

/* Returns false if the name has no address now: *resolved is unchanged. */
static bool find_addresses(const char *host, const as_address *own, int own_count, as_resolved *resolved)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *one;
    struct addrinfo *found = NULL;
    as_resolved fresh = {.count = 0};

    if (getaddrinfo(host, NULL, &hints, &found) != 0) {
        return false;
    }
    for (one = found; one && fresh.count < ADDRESSES_MOST; one = one->ai_next) {
        if (convert(one->ai_addr, &fresh.addresses[fresh.count])) {
            clear_own(&fresh.addresses[fresh.count++], own, own_count);
        }
    }
    freeaddrinfo(found);
    *resolved = fresh;
    return true;
}

/* ---- the table ---- */

as_addresses *as_addresses_create(apr_pool_t *pool, const as_ldap_server *servers, int count)
{
    as_addresses *all = apr_pcalloc(pool, sizeof(*all));
    pthread_condattr_t monotonic;

    all->servers = servers;
    all->count = count;
    all->resolved = apr_pcalloc(pool, (apr_size_t)count * sizeof(*all->resolved));
    if (pthread_condattr_init(&monotonic) != 0) {
        return NULL;
    }
    if (pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) != 0 ||
        pthread_cond_init(&all->changed, &monotonic) != 0 || pthread_mutex_init(&all->mutex, NULL) != 0) {
        all = NULL;
    }
    pthread_condattr_destroy(&monotonic);
    return all;
}

/* Resolves all names, without the lock: no other thread writes while `resolving`. Names that cannot be resolved keep
 * the addresses that they had. */
static void refresh(as_addresses *all, const as_address *own, int own_count)
{
    as_resolved *fresh = malloc((size_t)all->count * sizeof(*fresh));
    bool whole = fresh != NULL;
    int i;

    if (fresh) {
        memcpy(fresh, all->resolved, (size_t)all->count * sizeof(*fresh));
    }
    for (i = 0; fresh && i < all->count; i++) {
        whole = find_addresses(all->servers[i].host, own, own_count, &fresh[i]) && whole;
    }
    pthread_mutex_lock(&all->mutex);
    if (fresh) {
        memcpy(all->resolved, fresh, (size_t)all->count * sizeof(*fresh));
    }
    all->known = true;
    all->resolving = false;
    all->until = as_mono_read() + (whole ? FRESH : FRESH_IN_PART);
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->mutex);
    free(fresh);
}

/* Returns true if the caller must refresh the table. Waits for the first time that another thread does. Under the
 * lock. */
static bool begin(as_addresses *all, as_mono deadline)
{
    const struct timespec at = {.tv_sec = (time_t)(deadline / AS_MONO_SECOND),
                                .tv_nsec = (long)(deadline % AS_MONO_SECOND) * 1000};

    while (!all->known && all->resolving && as_mono_read() < deadline) {
        pthread_cond_timedwait(&all->changed, &all->mutex, &at);
    }
    if (all->resolving || as_mono_read() < all->until) {
        return false;
    }
    all->resolving = true;
    return true;
}

static bool is_at(const as_addresses *all, int server, const as_address *address, int port)
{
    const as_resolved *resolved = &all->resolved[server];
    int i = 0;

    while (i < resolved->count && !is_same(&resolved->addresses[i], address)) {
        i++;
    }
    return i < resolved->count && is_same_service(all->servers[server].port, port);
}

static int read_port(const struct sockaddr_storage *from)
{
    return ntohs(from->ss_family == AF_INET ? ((const struct sockaddr_in *)(const void *)from)->sin_port
                                            : ((const struct sockaddr_in6 *)(const void *)from)->sin6_port);
}

const as_ldap_server *const *as_addresses_find(as_addresses *all, int fd, as_mono deadline, apr_pool_t *pool)
{
    const as_ldap_server **found = apr_pcalloc(pool, (apr_size_t)(all->count + 1) * sizeof(*found));
    struct sockaddr_storage peer;
    socklen_t size = sizeof(peer);
    as_address address, own[OWN_MOST];
    int count = 0, own_count, i;
    bool due;

    if (all->count == 0 || getpeername(fd, (struct sockaddr *)&peer, &size) != 0 ||
        !convert((const struct sockaddr *)&peer, &address)) {
        return found;
    }
    own_count = list_own(own);
    clear_own(&address, own, own_count);
    pthread_mutex_lock(&all->mutex);
    due = begin(all, deadline);
    pthread_mutex_unlock(&all->mutex);
    if (due) {
        refresh(all, own, own_count);
    }
    pthread_mutex_lock(&all->mutex);
    for (i = 0; i < all->count; i++) {
        if (is_at(all, i, &address, read_port(&peer))) {
            found[count++] = &all->servers[i];
        }
    }
    pthread_mutex_unlock(&all->mutex);
    return found;
}
