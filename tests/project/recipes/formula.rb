# A stand-in for Homebrew, as far as our formula needs it: formula.rb FORMULA TARBALL FOLDER
require "digest"
require "fileutils"
require "open3"
require "pathname"

class Pathname
  def write(text)
    File.write(self, text)
  end
end

module ENV_CC
  def cc
    ENV.fetch("CC", "cc")
  end
end
ENV.extend(ENV_CC)

class Formula
  class << self
    attr_reader :said, :tested

    %i[desc homepage url version sha256 license depends_on].each do |name|
      define_method(name) do |value|
        @said ||= {}
        (@said[name] ||= []) << value
      end
    end

    def test(&block)
      @tested = block
    end
  end

  attr_reader :prefix, :testpath

  def initialize(folder)
    @prefix = folder/"prefix"
    @testpath = folder/"test"
    @testpath.mkpath
  end

  def bin = prefix/"bin"
  def include = prefix/"include"
  def lib = prefix/"lib"
  def version = self.class.said[:version].first

  def std_meson_args
    ["--prefix=#{prefix}", "--libdir=#{lib}", "--buildtype=release", "--wrap-mode=nofallback"]
  end

  def system(*words)
    Kernel.system(*words.map(&:to_s)) or abort "failed: #{words.join(" ")}"
  end

  def shell_output(line)
    said, status = Open3.capture2(line)
    status.success? ? said : abort("failed: #{line}")
  end

  def assert_match(wanted, said)
    said.include?(wanted) or abort "#{said} is not #{wanted}"
  end
end

formula, tarball, folder = ARGV
folder = Pathname(folder)
folder.mkpath
load formula
shmx = Shmx.new(folder)
said = Shmx.said
abort "the checksum" unless said[:sha256] == [Digest::SHA256.file(tarball).hexdigest]
abort "something is not said" unless %i[desc homepage url license].all? { |name| said.key?(name) }
shmx.system "tar", "-C", folder, "-xzf", tarball
Dir.chdir(Dir[folder/"shmx-*"].first) { shmx.install }
ENV["LD_LIBRARY_PATH"] = shmx.lib.to_s # Homebrew links with an rpath
Dir.chdir(shmx.testpath) { shmx.instance_eval(&Shmx.tested) }
