{ The plain form in Free Pascal. Its runtime starts when the library is loaded. }
library hello_pascal;

{$mode objfpc}

uses
  Strings;

type
  TWrite = function(bytes: Pointer; n: SizeUInt): LongInt; cdecl;
  TStartResponse = function(status: PChar; headers: PPChar): TWrite; cdecl;
  TGet = function(name: PChar): PChar; cdecl;
  { nsgi_environ }
  TEnviron = record
    vars: Pointer;
    get: TGet;
    read, error: Pointer;
  end;
  PEnviron = ^TEnviron;

const
  Greeting: PChar = 'Hello World!'#10;
  Headers: array[0..2] of PChar = ('Content-Type', 'text/plain', nil);

var
  Nowhere: ^LongInt = nil;

{ Nothing in it allocates or raises: Pascal's heap and exceptions want threads that it has made itself. }
function application(environ: PEnviron; startResponse: TStartResponse): LongInt; cdecl;
begin
  if (StrComp(environ^.get('PATH_INFO'), '/crash') = 0) then
    Nowhere^ := 1;
  application := startResponse('200 OK', PPChar(@Headers))(Greeting, StrLen(Greeting));
end;

exports
  application;

begin
end.
