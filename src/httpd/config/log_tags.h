/* SPDX-License-Identifier: Apache-2.0
 *
 * Logs a line of the register (authstatus/tag.def): its number gives the tag, the level and the format.
 */
#ifndef AUTHSTATUS_HTTPD_LOG_TAGS_H
#define AUTHSTATUS_HTTPD_LOG_TAGS_H

#include <http_log.h>

/* Each number once, used or retired. */
enum {
#define AS_TAG(number, level, format) AS_TAG_##number,
#define AS_TAG_RETIRED(number, what) AS_TAG_##number,
#define AS_TAG_OF_OUTCOME(number, level, name) AS_TAG_##number,
#include "authstatus/tag.def"
    AS_TAG_COUNT
};

enum {
#define AS_TAG(number, level, format) AS_TAG_LEVEL_##number = APLOG_##level,
#include "authstatus/tag.def"
};

/* Arrays, so that the compiler still checks the arguments against the format. */
#define AS_TAG(number, level, format) static const char as_tag_format_##number[] = "AS" #number ": " format;
#include "authstatus/tag.def"

#define AS_LOG_REQUEST(number, status, r, ...)                                                                         \
    ap_log_rerror(APLOG_MARK, AS_TAG_LEVEL_##number, status, r, as_tag_format_##number, ##__VA_ARGS__)
#define AS_LOG_SERVER(number, status, s, ...)                                                                          \
    ap_log_error(APLOG_MARK, AS_TAG_LEVEL_##number, status, s, as_tag_format_##number, ##__VA_ARGS__)

#endif
