using System.Diagnostics;
using Opt.Testing;
using Xunit;

namespace Opt.EndToEnd;

/// <summary><c>make run</c> itself, with fewer steps.</summary>
public sealed class MakeRunTests
{
    [Theory]
    [InlineData("directory")]
    [InlineData("azurite")]
    public async Task Make_run_trains_through_both_faults_and_ends_with_a_summary(string store)
    {
        var example = store == "directory" ? "opt-tiny.yaml" : "opt-tiny-azurite.yaml";
        var manifest = Path.Combine(Directory.CreateTempSubdirectory("opt-run-").FullName, example);
        await File.WriteAllTextAsync(manifest, (await File.ReadAllTextAsync(Repo.PathOf("examples", example), TestContext.Current.CancellationToken))
            .Replace("totalTokens: 307200", "totalTokens: 92160", StringComparison.Ordinal).Replace("every: {steps: 20}", "every: {steps: 10}", StringComparison.Ordinal), TestContext.Current.CancellationToken);
        var start = new ProcessStartInfo(Repo.PathOf("eng", "run.sh")) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Repo.PathOf() };
        start.Environment["MANIFEST"] = manifest;
        start.Environment["STORE"] = store;

        using var process = Process.Start(start)!;
        var stderr = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken) + await stderr;
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.True(process.ExitCode == 0, output);
        Assert.Contains("Succeeded", output, StringComparison.Ordinal);
        Assert.Contains("SIGKILL", output, StringComparison.Ordinal);
        Assert.Contains("quarantined", output, StringComparison.OrdinalIgnoreCase);
    }
}
