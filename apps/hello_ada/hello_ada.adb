package body Hello_Ada is

   Fail : constant int := -8;

   Path_Info : constant chars_ptr := New_String ("PATH_INFO");
   Status    : constant chars_ptr := New_String ("200 OK");
   Text      : constant String    := "Hello World!" & ASCII.LF;

   Headers : constant array (1 .. 3) of chars_ptr :=
     (New_String ("Content-Type"), New_String ("text/plain"), Null_Ptr);

   --  An address where nothing is: a check of the language would make an exception of a null access value.
   procedure Crash is
      Nowhere : int
        with Import, Volatile, Address => System.Null_Address;
   begin
      Nowhere := 1;
   end Crash;

   function Application (Env : access constant Environ; Start_Response : Start_Function) return int is
   begin
      if String'(Value (Env.Get (Path_Info))) = "/crash" then
         Crash;
      end if;
      return Start_Response (Status, Headers'Address) (Text'Address, Text'Length);
   exception
      --  No exception may leave it.
      when others => return Fail;
   end Application;

end Hello_Ada;
