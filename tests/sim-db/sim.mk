# The simulation of three database pods (tests/sim-db). The core is built once more, with its
# rules removable.

SIM_DB_CORE    := $(patsubst %,$(BUILD)/tests/sim-db/%.o,pg_core pg_core_peers)
SIM_DB_SOURCES := $(wildcard tests/sim-db/*.c)
SIM_DB_OBJECTS := $(SIM_DB_SOURCES:%.c=$(BUILD)/%.o) $(SIM_DB_CORE)

$(SIM_DB_OBJECTS): ALL_CFLAGS += -DPG_MUTANTS

$(SIM_DB_CORE): $(BUILD)/tests/sim-db/%.o: phoenix-job/%.c Makefile
	@mkdir -p $(@D)
	$(SAY) CC $@
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/tests/sim-db/sim: $(SIM_DB_OBJECTS) $(BUILD)/tests/sim_main.o $(BUILD)/lib/str.o
	$(SAY) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(VARIANT_LDFLAGS) $(LDFLAGS) -o $@ $^

.PHONY: sim-db sim-db-mutants
sim-db: $(BUILD)/tests/sim-db/sim ## simulates N runs of three database pods (500), from run FROM
	$< --from $(or $(FROM),0) --runs $(or $(N),500)

sim-db-mutants: $(BUILD)/tests/sim-db/sim ## removes each rule of phoenix-job/pg_core.c: the simulation must notice
	$< --mutants --runs $(or $(N),1000)

-include $(SIM_DB_OBJECTS:.o=.d) $(BUILD)/tests/sim_main.d
