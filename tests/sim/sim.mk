# The simulation of three nodes (tests/sim). Included by tests/tests.mk or the Makefile. The parts
# of the decision are built once more, with their rules removable.

DECIDE_OBJECTS := $(patsubst %,$(BUILD)/tests/sim/%.o,decide decide_blank decide_grant)
SIM_SOURCES := $(wildcard tests/sim/*.c)
SIM_OBJECTS := $(SIM_SOURCES:%.c=$(BUILD)/%.o) $(DECIDE_OBJECTS)
SIM_RUNS    := $(or $(N),2000)
SIM_FROM    := $(or $(FROM),0)

$(SIM_OBJECTS): ALL_CFLAGS += -DDECIDE_MUTANTS

$(DECIDE_OBJECTS): $(BUILD)/tests/sim/%.o: firstboot/%.c Makefile
	@mkdir -p $(@D)
	$(SAY) CC $@
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/tests/sim/sim: $(SIM_OBJECTS) $(BUILD)/tests/sim_main.o $(BUILD)/lib/str.o
	$(SAY) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(VARIANT_LDFLAGS) $(LDFLAGS) -o $@ $^

.PHONY: sim sim-mutants
sim: $(BUILD)/tests/sim/sim ## simulates N runs of three nodes (2000), from run FROM
	$< --from $(SIM_FROM) --runs $(SIM_RUNS)

sim-mutants: $(BUILD)/tests/sim/sim ## removes each rule of firstboot/decide.c: the simulation must notice
	$< --mutants --runs $(or $(N),20000)

-include $(SIM_OBJECTS:.o=.d) $(BUILD)/tests/sim_main.d
