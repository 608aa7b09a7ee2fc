/* Memory that only the start of a long-lived program needed. */
#pragma once

/* Lets go of the program's and its libraries' code: what is used again comes back from the page
 * cache, page by page. What loading libraries touched (a third of an agent's memory, measured) does
 * not. No data is in what is let go: mappings that can be executed are never written. */
void trim_code(void);
