# The simulation of three nodes (tests/sim). Included by tests/tests.mk or the Makefile. decide.c is built
# once more, with its rules removable.

SIM_SOURCES := $(wildcard tests/sim/*.c)
SIM_OBJECTS := $(SIM_SOURCES:%.c=$(BUILD)/%.o) $(BUILD)/tests/sim/decide.o
SIM_RUNS    := $(or $(N),2000)
SIM_FROM    := $(or $(FROM),0)

$(SIM_OBJECTS): ALL_CFLAGS += -DDECIDE_MUTANTS

$(BUILD)/tests/sim/decide.o: firstboot/decide.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/tests/sim/sim: $(SIM_OBJECTS) $(BUILD)/lib/str.o
	$(CC) $(ALL_CFLAGS) $(VARIANT_LDFLAGS) $(LDFLAGS) -o $@ $^

.PHONY: sim sim-mutants
sim: $(BUILD)/tests/sim/sim ## simulates N runs of three nodes (2000), from run FROM
	$< --from $(SIM_FROM) --runs $(SIM_RUNS)

sim-mutants: $(BUILD)/tests/sim/sim ## removes each rule of firstboot/decide.c: the simulation must notice
	$< --mutants --runs $(or $(N),20000)

-include $(SIM_OBJECTS:.o=.d)
