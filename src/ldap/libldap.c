/* SPDX-License-Identifier: Apache-2.0
 *
 * libldap and this code in a process that loads them more than once: httpd unloads its modules at each restart, and
 * with them the libraries that nobody else uses.
 */
#include "ldap_private.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

void as_code_keep_loaded(const void *inside)
{
    Dl_info info;

    if (dladdr(inside, &info) != 0 && info.dli_fname) {
        /* cppcheck-suppress leakReturnValNotUsed ; never closed */
        dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
    }
}

/* libldap reads ./ldaprc as well, which another user may control if root starts a server in that directory. */
void as_libldap_initialize(void)
{
    const int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool away = here >= 0 && chdir("/") == 0;
    int version;

    as_code_keep_loaded((void *)ldap_get_option);
    ldap_get_option(NULL, LDAP_OPT_PROTOCOL_VERSION, &version);
    if (here >= 0) {
        if (away && fchdir(here) != 0) {
            abort(); /* the working directory was there a moment ago; later code may use relative paths */
        }
        close(here);
    }
}
