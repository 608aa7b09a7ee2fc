/* One line a fact, to whoever watches: the journal (priority prefix, no colours) when stderr is a
 * journal stream, a terminal otherwise. Library code does not log; steps and commands do. */
#pragma once

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARN = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

/* Lines above LEVEL are dropped. Default: INFO, or DEBUG with PHOENIX_DEBUG=1 in the environment.
 */
void log_set_level(enum log_level level);
void log_at(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)
/* FD is a terminal that can do more than print: TERM is set and not dumb. */
bool log_terminal(int fd);
/* Colours only where a person looks and wants them: such a terminal, and NO_COLOR is unset. */
bool log_colors(int fd);
