/* SPDX-License-Identifier: Apache-2.0
 *
 * mod_authstatus for other modules: version, names of variables and notes, optional functions.
 */
#ifndef MOD_AUTHSTATUS_H
#define MOD_AUTHSTATUS_H

#include <httpd.h>
#include <apr_optional.h>

#define AUTHSTATUS_VERSION "0.1.0"

/* Environment of the application and of ErrorDocuments (there with REDIRECT_ before them as well): information that
 * may be disclosed to the client. Absent otherwise, and always on a masked answer. */
#define AUTHSTATUS_ENV_OUTCOME "AUTHSTATUS_OUTCOME"
#define AUTHSTATUS_ENV_STATUS "AUTHSTATUS_STATUS"
#define AUTHSTATUS_ENV_LDAP_CODE "AUTHSTATUS_LDAP_CODE"
#define AUTHSTATUS_ENV_SUBCODE "AUTHSTATUS_SUBCODE"
#define AUTHSTATUS_ENV_EXPIRES_IN "AUTHSTATUS_PASSWORD_EXPIRES_IN" /* seconds */
#define AUTHSTATUS_ENV_GRACE_LOGINS "AUTHSTATUS_GRACE_LOGINS"
#define AUTHSTATUS_ENV_HELP "AUTHSTATUS_HELP" /* a URL */

#define AUTHSTATUS_ENV_GROUP "AUTHSTATUS_GROUP" /* the DN of the line ldap-group that granted the request */

/* Notes for the access log: always the true outcome. */
#define AUTHSTATUS_NOTE_OUTCOME "authstatus-outcome"
#define AUTHSTATUS_NOTE_STATUS "authstatus-status" /* the intended status, before masking; absent after a success */
#define AUTHSTATUS_NOTE_LDAP "authstatus-ldap"     /* code or code/subcode */
#define AUTHSTATUS_NOTE_GROUP "authstatus-group"   /* as AUTHSTATUS_GROUP */

/* Returns the name of the request's outcome so far, as in the notes; static. NULL: there is none. From the
 * authentication phase on, in the thread of the request. */
APR_DECLARE_OPTIONAL_FN(const char *, authstatus_outcome, (request_rec * r));

#endif
