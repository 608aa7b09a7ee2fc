/* systemd leaves the machine's watchdog running when it goes down (RebootWatchdogSec=, ten minutes),
 * and a disk may take longer to be written than it waits. */
#pragma once

/* Keeps a watchdog that runs from ending the machine for as long as this process lives. */
void self_watchdog_keep(void);
