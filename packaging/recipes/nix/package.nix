# shmx for Nix: callPackage ./package.nix { }, or the flake beside this file.
{ lib, stdenv, meson, ninja, pkg-config, scdoc, cmocka, python3 }:

stdenv.mkDerivation {
  pname = "shmx";
  version = "0.1.0";

  src = ../../..;

  outputs = [ "out" "lib" "dev" "man" ];

  nativeBuildInputs = [ meson ninja pkg-config scdoc python3 ];
  buildInputs = [ cmocka ];

  doCheck = stdenv.buildPlatform.canExecute stdenv.hostPlatform;
  mesonFlags = [
    (lib.mesonBool "tests" (stdenv.buildPlatform.canExecute stdenv.hostPlatform))
    (lib.mesonBool "demos" false)
    (lib.mesonEnable "mpi" false)
  ];

  meta = {
    description = "The same shared memory on every operating system";
    license = lib.licenses.mit;
    mainProgram = "shmx";
    platforms = lib.platforms.linux ++ lib.platforms.darwin ++ lib.platforms.freebsd;
  };
}
