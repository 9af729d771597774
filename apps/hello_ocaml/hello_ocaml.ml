(* What the application answers to a path; border.c is the way there from C. *)
let answer _path = "Hello World!\n"

let () = Callback.register "answer" answer
