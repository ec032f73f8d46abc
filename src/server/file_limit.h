// These functions see to it that clients cannot take the file descriptors that the program needs
// for its store. They change a limit of the process; call them before its threads open files.
#pragma once

namespace kvasir::server {

// Raises the process's limit on open files as far as `wanted` connections need it, or as far as
// the system lets it, and returns how many connections there may be: 1 at least.
int connections_within_file_limit(int wanted);

}  // namespace kvasir::server
