dnl SPDX-License-Identifier: Apache-2.0
dnl
dnl AUTHSTATUS_LDAP
dnl
dnl Sets LDAP_CFLAGS and LDAP_LIBS for OpenLDAP's libldap, from pkg-config or, as OpenLDAP before 2.5 has no ldap.pc, by
dnl linking. Another vendor's libldap has no ldap_parse_passwordpolicy_control and is refused.

AC_DEFUN([AUTHSTATUS_LDAP],[
PKG_CHECK_MODULES([LDAP],[ldap lber],[],[
    LDAP_LIBS="-lldap -llber"
    AC_SUBST([LDAP_CFLAGS])
    AC_SUBST([LDAP_LIBS])])
authstatus_save_CPPFLAGS=$CPPFLAGS
authstatus_save_LIBS=$LIBS
CPPFLAGS="$CPPFLAGS $LDAP_CFLAGS"
LIBS="$LDAP_LIBS $LIBS"
AC_MSG_CHECKING([for OpenLDAP's libldap])
AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <ldap.h>]],
    [[return ldap_parse_passwordpolicy_control(0, 0, 0, 0, 0) + (int)sizeof(LDAP_VENDOR_VERSION);]])],
    [AC_MSG_RESULT([$LDAP_LIBS])],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([OpenLDAP's libldap is missing: install libldap-dev (Debian) or openldap-devel])])
dnl An answer is looked at as a whole; what does that is exported, and in no public header.
AC_CHECK_FUNC([ldap_get_message_ber],[],[AC_MSG_ERROR([this libldap does not export ldap_get_message_ber])])
CPPFLAGS=$authstatus_save_CPPFLAGS
LIBS=$authstatus_save_LIBS
])
