--  The plain form in Ada. The binder makes the library's elaboration run when it is loaded (gnatbind -a).

--  Signal handlers are the server's: the runtime leaves those of faults alone (4, 6, 7, 8 and 11 are SIGILL,
--  SIGABRT, SIGBUS, SIGFPE and SIGSEGV), and a fault is a crash of the worker, with a line in its log.
pragma Interrupt_State (4, System);
pragma Interrupt_State (6, System);
pragma Interrupt_State (7, System);
pragma Interrupt_State (8, System);
pragma Interrupt_State (11, System);

with Interfaces.C;         use Interfaces.C;
with Interfaces.C.Strings; use Interfaces.C.Strings;
with System;

package Hello_Ada is

   --  The types of nsgi.h that the application touches.
   type Write_Function is access function (Bytes : System.Address; N : size_t) return int
     with Convention => C;
   type Start_Function is access function (Status : chars_ptr; Headers : System.Address) return Write_Function
     with Convention => C;
   type Get_Function is access function (Name : chars_ptr) return chars_ptr
     with Convention => C;
   type Environ is record
      Vars  : System.Address;
      Get   : Get_Function;
      Read  : System.Address;
      Error : System.Address;
   end record
     with Convention => C;

   function Application (Env : access constant Environ; Start_Response : Start_Function) return int
     with Export, Convention => C, External_Name => "application";

end Hello_Ada;
