class Shmx < Formula
  desc "Same shared memory on every operating system"
  homepage "@HOME@"
  url "@URL@"
  version "0.1.0"
  sha256 "@SHA256@"
  license "MIT"

  depends_on "meson" => :build
  depends_on "ninja" => :build
  depends_on "scdoc" => :build

  def install
    system "meson", "setup", "build", "-Dtests=false", "-Ddemos=false", *std_meson_args
    system "meson", "compile", "-C", "build"
    system "meson", "install", "-C", "build"
  end

  test do
    (testpath/"use.c").write <<~C
      #include <shmx.h>
      #include <string.h>

      int main(void)
      {
          shmx *shm;
          if (shmx_create(&shm, NULL, 4096, 0) != SHMX_OK)
              return 1;
          memset(shmx_data(shm), 1, shmx_size(shm));
          shmx_close(&shm);
          return strcmp(shmx_version(), "#{version}") != 0;
      }
    C
    system ENV.cc, "use.c", "-I#{include}", "-L#{lib}", "-lshmx", "-o", "use"
    system "./use"
    assert_match version.to_s, shell_output("#{bin}/shmx --version")
  end
end
