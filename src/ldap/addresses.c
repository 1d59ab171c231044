/* SPDX-License-Identifier: Apache-2.0
 *
 * The servers that the configuration names, by their addresses. A .htaccess file or a referral may name one of them in
 * another way: by an address, an alias, a name of this machine.
 *
 * A thread of its own resolves the names: getaddrinfo() cannot be bounded from within a thread, and a login waits for
 * a name that does not resolve only until the first table is there.
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
/* After so much more a login waits so long for new ones. */
#define STALE (600 * AS_MONO_SECOND)
#define PATIENCE (AS_MONO_SECOND / 2)

/* An IPv6 address, or an IPv4 address as one (RFC 4291 2.5.5.2); zero: this machine. */
typedef struct as_address {
    unsigned char octets[16];
} as_address;

/* A name of the configuration. */
typedef struct as_resolved {
    char *host;
    int count;
    as_address *addresses;
} as_resolved;

struct as_addresses {
    const as_ldap_server *servers;
    int count;
    pthread_mutex_t mutex; /* of the members below */
    pthread_cond_t changed;
    int owners; /* the directories, and the thread: the last one frees it */
    bool known; /* all names have been tried */
    bool resolving, ended;
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

/* Returns whether an address is one of this machine, by a list that may be empty. */
static bool is_own(const as_address *address, const struct ifaddrs *own)
{
    as_address one;

    while (own && !(convert(own->ifa_addr, &one) && is_same(address, &one))) {
        own = own->ifa_next;
    }
    return own || is_loopback(address);
}

/* Replaces an address of this machine by zero: a server here may listen on all of them. */
static void clear_own(as_address *address, const struct ifaddrs *own)
{
    if (is_own(address, own)) {
        memset(address, 0, sizeof(*address));
    }
}

/* Returns false if the name has no address now. The addresses are the caller's to free. */
static bool find_addresses(const char *host, const struct ifaddrs *own, as_resolved *found)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *one;
    struct addrinfo *all = NULL;
    size_t size = 0;

    found->count = 0;
    if (getaddrinfo(host, NULL, &hints, &all) != 0) {
        return false;
    }
    for (one = all; one; one = one->ai_next) {
        size += sizeof(as_address);
    }
    found->addresses = malloc(size > 0 ? size : 1);
    for (one = all; one && found->addresses; one = one->ai_next) {
        if (convert(one->ai_addr, &found->addresses[found->count])) {
            clear_own(&found->addresses[found->count++], own);
        }
    }
    freeaddrinfo(all);
    return found->addresses != NULL;
}

static bool has_address(const as_resolved *resolved, const as_address *address)
{
    int i = 0;

    while (i < resolved->count && !is_same(&resolved->addresses[i], address)) {
        i++;
    }
    return i < resolved->count;
}

static bool share_address(const as_resolved *one, const as_resolved *other)
{
    int i = 0;

    while (i < one->count && !has_address(other, &one->addresses[i])) {
        i++;
    }
    return i < one->count;
}

bool as_servers_share_address(const as_ldap_server *one, const as_ldap_server *other)
{
    as_resolved first = {.count = 0}, second = {.count = 0};
    bool shared = is_same_service(one->port, other->port) && find_addresses(one->host, NULL, &first) &&
                  find_addresses(other->host, NULL, &second) && share_address(&first, &second);

    free(first.addresses);
    free(second.addresses);
    return shared;
}

/* ---- the table ---- */

static void free_all(as_addresses *all)
{
    int i;

    for (i = 0; i < all->count; i++) {
        free(all->resolved[i].host);
        free(all->resolved[i].addresses);
    }
    pthread_cond_destroy(&all->changed);
    pthread_mutex_destroy(&all->mutex);
    free(all->resolved);
    free(all);
}

static bool copy_hosts(as_addresses *all)
{
    int i = 0;

    all->resolved = calloc((size_t)all->count + 1, sizeof(*all->resolved));
    while (all->resolved && i < all->count && (all->resolved[i].host = strdup(all->servers[i].host))) {
        i++;
    }
    return all->resolved && i == all->count;
}

as_addresses *as_addresses_create(const as_ldap_server *servers, int count)
{
    as_addresses *all = calloc(1, sizeof(*all));

    if (!all || !as_cond_create(&all->changed)) {
        free(all);
        return NULL;
    }
    if (pthread_mutex_init(&all->mutex, NULL) != 0) {
        pthread_cond_destroy(&all->changed);
        free(all);
        return NULL;
    }
    all->servers = servers;
    all->owners = 1;
    all->count = count;
    if (!copy_hosts(all)) {
        all->count = all->resolved ? count : 0;
        free_all(all);
        return NULL;
    }
    return all;
}

/* Ends the ownership of one. Under the lock, which it releases. */
static void leave(as_addresses *all)
{
    const bool last = --all->owners == 0;

    pthread_mutex_unlock(&all->mutex);
    if (last) {
        free_all(all);
    }
}

void as_addresses_end(as_addresses *all)
{
    pthread_mutex_lock(&all->mutex);
    all->ended = true;
    leave(all);
}

/* Replaces the addresses of one name. Returns false if nobody needs them. */
static bool put(as_addresses *all, int at, const as_resolved *found)
{
    as_resolved *resolved = &all->resolved[at];
    bool needed;

    pthread_mutex_lock(&all->mutex);
    needed = !all->ended;
    free(resolved->addresses);
    resolved->addresses = found->addresses;
    resolved->count = found->count;
    pthread_mutex_unlock(&all->mutex);
    return needed;
}

/* Resolves all names, once. Those that cannot be resolved keep the addresses that they had. */
static void *find_all(void *data)
{
    as_addresses *all = data;
    struct ifaddrs *own = NULL;
    bool whole = getifaddrs(&own) == 0, needed = true;
    as_resolved found;
    int i;

    for (i = 0; i < all->count && needed; i++) {
        if (find_addresses(all->resolved[i].host, own, &found)) {
            needed = put(all, i, &found);
        } else {
            whole = false;
        }
    }
    if (own) {
        freeifaddrs(own);
    }
    pthread_mutex_lock(&all->mutex);
    all->known = true;
    all->resolving = false;
    all->until = as_mono_read() + (whole ? FRESH : FRESH_IN_PART);
    pthread_cond_broadcast(&all->changed);
    leave(all);
    return NULL;
}

/* Starts the thread. Under the lock. */
static void start(as_addresses *all)
{
    static const char inside = 0;
    pthread_attr_t attributes;
    pthread_t thread;

    if (pthread_attr_init(&attributes) != 0) {
        return;
    }
    as_code_keep_loaded(&inside); /* httpd unloads its modules before a thread that waits for a name may have ended */
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    all->resolving = as_thread_start(&thread, &attributes, find_all, all);
    all->owners += all->resolving;
    pthread_attr_destroy(&attributes);
}

/* Has the names resolved when it is time. Returns false if they are not known yet. Under the lock. */
static bool refresh(as_addresses *all, as_mono deadline)
{
    const as_mono now = as_mono_read(), until = now + (deadline - now) / 2;
    const bool is_stale = all->known && now >= all->until + STALE;

    if (now >= all->until && !all->resolving) {
        start(all);
    }
    while (all->resolving && as_mono_read() < until && (!all->known || (is_stale && as_mono_read() < now + PATIENCE))) {
        as_cond_wait(&all->changed, &all->mutex, all->known ? as_mono_choose_earlier(until, now + PATIENCE) : until);
    }
    return all->known;
}

static bool is_at(const as_addresses *all, int server, const as_address *address, int port)
{
    return has_address(&all->resolved[server], address) && is_same_service(all->servers[server].port, port);
}

/* Returns whether a server may be at any address, as its name has never been resolved. */
static bool may_be_anywhere(const as_addresses *all, int server, int port)
{
    return all->resolved[server].count == 0 && is_same_service(all->servers[server].port, port);
}

/* ---- connections ---- */

/* The other end of a connection. */
typedef struct as_end {
    as_address address, cleared; /* as it is, and zero if it is this machine's */
    int port;
} as_end;

static int read_port(const struct sockaddr_storage *from)
{
    return ntohs(from->ss_family == AF_INET ? ((const struct sockaddr_in *)(const void *)from)->sin_port
                                            : ((const struct sockaddr_in6 *)(const void *)from)->sin6_port);
}

/* Returns false if the connection is none of IP. A connection from an address to the same is this machine's. */
static bool find_end(int fd, as_end *end)
{
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC}, local = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof(peer), local_size = sizeof(local);
    struct ifaddrs *own = NULL;
    as_address here;

    if (getpeername(fd, (struct sockaddr *)&peer, &size) != 0 ||
        !convert((const struct sockaddr *)&peer, &end->address)) {
        return false;
    }
    end->port = read_port(&peer);
    end->cleared = end->address;
    if (getsockname(fd, (struct sockaddr *)&local, &local_size) == 0 &&
        convert((const struct sockaddr *)&local, &here) && is_same(&here, &end->address)) {
        memset(&end->cleared, 0, sizeof(end->cleared));
    } else if (getifaddrs(&own) == 0) {
        clear_own(&end->cleared, own);
        freeifaddrs(own);
    } else {
        clear_own(&end->cleared, NULL);
    }
    return true;
}

const as_ldap_server *const *as_addresses_find(as_addresses *all, int fd, as_mono deadline, apr_pool_t *pool)
{
    const as_ldap_server **found = apr_pcalloc(pool, (apr_size_t)(all->count + 1) * sizeof(*found));
    int count = 0, i;
    bool known;
    as_end end;

    if (all->count == 0 || !find_end(fd, &end)) {
        return found;
    }
    pthread_mutex_lock(&all->mutex);
    known = refresh(all, deadline);
    for (i = 0; i < all->count && known; i++) {
        if (is_at(all, i, &end.cleared, end.port) || is_at(all, i, &end.address, end.port)) {
            found[count++] = &all->servers[i];
        }
    }
    for (i = 0; i < all->count && known; i++) {
        if (may_be_anywhere(all, i, end.port)) {
            found[count++] = &all->servers[i];
        }
    }
    pthread_mutex_unlock(&all->mutex);
    return known ? found : NULL;
}

bool as_addresses_find_target(const as_session *session, as_mono deadline, apr_pool_t *pool, as_bind_target *target)
{
    target->configured = as_addresses_find(session->peer->directory->all->addresses, session->wire.fd, deadline, pool);
    return target->configured != NULL;
}
