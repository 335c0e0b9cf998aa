using System.Diagnostics;
using System.Globalization;

namespace Opt.Scenarios.Faults;

/// <summary>The seeds from <paramref name="first"/> on, played by the same test in a process of its own: a world needs one thread, and machines have two.</summary>
internal sealed class OtherHalf : IDisposable
{
    /// <summary>Redirects, so that nobody here has to read while a world is played, and ends the process when this one is gone, however it went: its line closes then.</summary>
    private const string Script = """
        exec 3<&0
        dotnet "$0" -noColor -method "$1" >"$2" 2>&1 &
        player=$!
        { cat <&3 >/dev/null; kill $player 2>/dev/null; } &
        watch=$!
        wait $player
        code=$?
        kill $watch 2>/dev/null
        exit $code
        """;

    private readonly string _output = Path.GetTempFileName();
    private readonly Process _process;

    public OtherHalf(string test, int first, int count)
    {
        var start = new ProcessStartInfo("/bin/sh", ["-c", Script, typeof(OtherHalf).Assembly.Location, test, _output]) { RedirectStandardInput = true };
        start.Environment["OPT_TEST_SEED"] = first.ToString(CultureInfo.InvariantCulture);
        start.Environment["OPT_SEQUENCES"] = count.ToString(CultureInfo.InvariantCulture);
        _process = Process.Start(start) ?? throw new InvalidOperationException("no second process");
    }

    /// <summary>Waits for its end.</summary>
    /// <exception cref="InvalidOperationException">A sequence failed; the message is what the process said.</exception>
    public async Task EndAsync(CancellationToken ct)
    {
        await _process.WaitForExitAsync(ct);
        var said = await File.ReadAllTextAsync(_output, ct);
        if (_process.ExitCode != 0 || !said.Contains("Total: 1, Errors: 0, Failed: 0", StringComparison.Ordinal)) throw new InvalidOperationException($"the other half of the seeds, exit code {_process.ExitCode}:\n{said}");
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.Dispose();
        File.Delete(_output);
    }
}
