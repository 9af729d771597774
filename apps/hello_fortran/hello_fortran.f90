! The plain form in Fortran, through its interface to C (Fortran 2003): types of C, procedures with C's names,
! and pointers to procedures in both directions. There is no runtime that would have to start.
module hello
  use, intrinsic :: iso_c_binding
  implicit none

  type, bind(c) :: nsgi_environ
    type(c_funptr) :: vars, get, read, error
  end type

  abstract interface
    function get_function(name) bind(c)
      import
      character(kind=c_char), intent(in) :: name(*)
      type(c_ptr) :: get_function
    end function
    function start_function(status, headers) bind(c)
      import
      character(kind=c_char), intent(in) :: status(*)
      type(c_ptr), intent(in) :: headers(*)
      type(c_funptr) :: start_function
    end function
    function write_function(bytes, n) bind(c)
      import
      character(kind=c_char), intent(in) :: bytes(*)
      integer(c_size_t), value :: n
      integer(c_int) :: write_function
    end function
  end interface

  interface
    function compare(a, b) bind(c, name="strcmp")
      import
      type(c_ptr), value :: a
      character(kind=c_char), intent(in) :: b(*)
      integer(c_int) :: compare
    end function
  end interface

  character(kind=c_char, len=13), target :: text = "Hello World!" // c_new_line
  character(kind=c_char, len=13), target :: header_name = "Content-Type" // c_null_char
  character(kind=c_char, len=11), target :: header_value = "text/plain" // c_null_char

contains
  function application(environ, start_response) bind(c)
    type(nsgi_environ), intent(in) :: environ
    type(c_funptr), value :: start_response
    integer(c_int) :: application
    procedure(get_function), pointer :: get
    procedure(start_function), pointer :: start
    procedure(write_function), pointer :: write
    type(c_ptr) :: headers(3)
    integer(c_int), pointer :: nowhere

    call c_f_procpointer(environ%get, get)
    if (compare(get("PATH_INFO" // c_null_char), "/crash" // c_null_char) == 0) then
      call c_f_pointer(c_null_ptr, nowhere)
      nowhere = 1
    end if
    headers = [c_loc(header_name), c_loc(header_value), c_null_ptr]
    call c_f_procpointer(start_response, start)
    call c_f_procpointer(start("200 OK" // c_null_char, headers), write)
    application = write(text, len(text, kind=c_size_t))
  end function
end module
