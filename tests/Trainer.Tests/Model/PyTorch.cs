using System.Diagnostics;
using Opt.Testing;
using Xunit;

namespace Opt.Trainer.Tests.Model;

/// <summary>The reference implementation in Python; tests that use it skip where Debian's python3-torch is not installed.</summary>
internal static class PyTorch
{
    private const string Python = "/usr/bin/python3";
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(3);
    private static readonly Lazy<bool> s_present = new(() => File.Exists(Python) && Start("-c", "import torch, numpy").ExitCode == 0);

    /// <summary>Runs tests/parity/opt_reference.py and gives what it printed.</summary>
    public static string Run(params string[] arguments)
    {
        if (!s_present.Value) Assert.Skip("python3-torch is not installed: apt-get install python3-torch");
        var (code, output, error) = Start([Repo.PathOf("tests", "parity", "opt_reference.py"), .. arguments]);
        Assert.True(code == 0, error);
        return output;
    }

    private static (int ExitCode, string Output, string Error) Start(params string[] arguments)
    {
        var info = new ProcessStartInfo(Python) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in arguments) info.ArgumentList.Add(argument);
        using var process = Process.Start(info)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        if (!process.WaitForExit(Deadline))
        {
            process.Kill();
            throw new TimeoutException("python3 did not end");
        }

        return (process.ExitCode, output.Result, error.Result);
    }
}
