# Builds the hello world of languages whose compilers the other verbs need not have, to .build/apps/NAME.so;
# run from the project's root (make test-languages, which installs them).
OUT := .build/apps
# Where compilers leave what lies between source and library.
WORK := .build/languages
LANGUAGES := ada d fortran go nim ocaml pascal zig
INCLUDE := $(abspath Sources/CNSGI/include)
FLAGS := -O2 -fPIC -I$(INCLUDE)
ZIG ?= .build/ziglang/bin/python -m ziglang
ADALIB = $(shell gcc -print-file-name=adalib)
# Go and Zig keep what they have compiled; below .build as everything else.
export GOCACHE := $(abspath $(WORK)/go)
export ZIG_GLOBAL_CACHE_DIR := $(abspath $(WORK)/zig)
export ZIG_LOCAL_CACHE_DIR := $(abspath $(WORK)/zig)

.PHONY: languages
languages: $(LANGUAGES:%=$(OUT)/hello_%.so)

# A rule for each: what it does lies in a folder of its own, and the library is moved to its place as a whole.
.SECONDEXPANSION:
$(OUT)/hello_%.so: $$(wildcard apps/hello_$$*/*) $(INCLUDE)/nsgi.h sdk/zig/nsgi.zig apps/languages.mk
	@mkdir -p $(OUT) $(WORK)/$*
	$(call build_$*,$(abspath $@).new)
	@mv $@.new $@

define build_ada
cd $(WORK)/ada && gcc -c $(FLAGS) -gnatwa $(abspath apps/hello_ada)/hello_ada.adb && \
  gnatbind -n -a -Lhello_ada_ hello_ada.ali -o b_hello_ada.adb && gcc -c $(FLAGS) b_hello_ada.adb && \
  gcc -shared hello_ada.o b_hello_ada.o $(ADALIB)/libgnarl_pic.a $(ADALIB)/libgnat_pic.a -o $(1)
endef
build_d = gdc -O2 -fPIC -shared -Wall -static-libphobos apps/hello_d/hello_d.d -o $(1)
define build_fortran
gfortran -O2 -fPIC -shared -Wall -J $(WORK)/fortran apps/hello_fortran/hello_fortran.f90 -o $(1)
endef
# Go writes a header beside it, which nobody includes.
define build_go
CGO_CFLAGS="$(FLAGS)" go build -buildmode=c-shared -o $(1) apps/hello_go/hello_go.go && rm -f $(1:.new=.h)
endef
define build_nim
nim c --hints:off --app:lib --mm:arc --threads:off -d:release --passC:-I$(INCLUDE) --nimcache:$(WORK)/nim \
  -o:$(1) apps/hello_nim/hello_nim.nim
endef
define build_ocaml
cp apps/hello_ocaml/* $(WORK)/ocaml/ && cd $(WORK)/ocaml && ocamlopt -c -ccopt "$(FLAGS)" border.c && \
  ocamlopt -output-complete-obj -runtime-variant _pic -ccopt -shared border.o hello_ocaml.ml -o new.so && \
  mv new.so $(1)
endef
build_pascal = fpc -v0 -O2 -fPIC -Cg -FU$(WORK)/pascal -o$(1) apps/hello_pascal/hello_pascal.pas
define build_zig
$(ZIG) build-lib -dynamic -O ReleaseSafe -fstrip --dep nsgi -Mroot=apps/hello_zig/hello_zig.zig \
  -Mnsgi=sdk/zig/nsgi.zig -femit-bin=$(1)
endef
