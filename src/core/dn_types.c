/* SPDX-License-Identifier: Apache-2.0
 *
 * Attribute types of distinguished names: those with several names, and those whose values ignore case.
 */
#include "dn_types.h"

#include "text.h"

/* Attribute types with several names (RFC 4519 2, RFC 4514 3). */
static const struct {
    const char *other, *name;
} types[] = {
    {"2.5.4.3", "cn"},
    {"commonname", "cn"},
    {"2.5.4.4", "sn"},
    {"surname", "sn"},
    {"2.5.4.5", "serialnumber"},
    {"2.5.4.6", "c"},
    {"countryname", "c"},
    {"2.5.4.7", "l"},
    {"localityname", "l"},
    {"2.5.4.8", "st"},
    {"stateorprovincename", "st"},
    {"2.5.4.9", "street"},
    {"streetaddress", "street"},
    {"2.5.4.10", "o"},
    {"organizationname", "o"},
    {"2.5.4.11", "ou"},
    {"organizationalunitname", "ou"},
    {"2.5.4.12", "title"},
    {"2.5.4.42", "givenname"},
    {"gn", "givenname"},
    {"2.5.4.45", "x500uniqueidentifier"},
    {"2.5.4.46", "dnqualifier"},
    {"0.9.2342.19200300.100.1.1", "uid"},
    {"userid", "uid"},
    {"0.9.2342.19200300.100.1.3", "mail"},
    {"rfc822mailbox", "mail"},
    {"0.9.2342.19200300.100.1.25", "dc"},
    {"domaincomponent", "dc"},
    {"1.2.840.113549.1.9.1", "email"},
    {"emailaddress", "email"},
    {"pkcs9email", "email"},
    {"e", "email"},
};

/* Attribute types that ignore case (RFC 4519 2, RFC 4524, RFC 2798, MS-ADA), by the names above. */
static const char *const caseless[] = {
    "cn",
    "sn",
    "serialnumber",
    "c",
    "l",
    "st",
    "street",
    "o",
    "ou",
    "title",
    "givenname",
    "dnqualifier",
    "uid",
    "mail",
    "dc",
    "email",
    "description",
    "displayname",
    "employeenumber",
    "employeetype",
    "initials",
    "name",
    "samaccountname",
    "userprincipalname",
    "host",
    "nsuniqueid",
};

const char *as_dn_type_find(const char *text, size_t length)
{
    size_t i;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (as_text_is_lower(text, length, types[i].other)) {
            return types[i].name;
        }
    }
    return NULL;
}

bool as_dn_type_is_caseless(const char *type, size_t length)
{
    size_t i;

    for (i = 0; i < sizeof(caseless) / sizeof(caseless[0]); i++) {
        if (as_text_is_lower(type, length, caseless[i])) {
            return true;
        }
    }
    return false;
}
