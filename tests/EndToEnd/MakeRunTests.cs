using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using Opt.Testing;
using Xunit;

namespace Opt.EndToEnd;

/// <summary><c>make run</c> itself, with fewer and smaller steps, and a lost node noticed sooner.</summary>
public sealed partial class MakeRunTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("directory")]
    [InlineData("azurite")]
    public async Task Make_run_trains_through_both_faults_and_ends_with_a_summary(string store)
    {
        var example = store == "directory" ? "opt-tiny.yaml" : "opt-tiny-azurite.yaml";
        var manifest = Path.Combine(Directory.CreateTempSubdirectory("opt-run-").FullName, example);
        await File.WriteAllTextAsync(manifest, (await File.ReadAllTextAsync(Repo.PathOf("examples", example), Cancelled))
            .Replace("totalTokens: 307200", "totalTokens: 15360", StringComparison.Ordinal).Replace("batchTokens: 1024", "batchTokens: 256", StringComparison.Ordinal)
            .Replace("microBatchSequences: 4", "microBatchSequences: 1", StringComparison.Ordinal).Replace("every: {steps: 20}", "every: {steps: 10}", StringComparison.Ordinal), Cancelled);
        var start = new ProcessStartInfo(Repo.PathOf("eng", "run.sh")) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Repo.PathOf() };
        start.Environment["MANIFEST"] = manifest;
        start.Environment["STORE"] = store;
        start.Environment["DASHBOARD_PORT"] = "0";
        start.Environment["GRACE"] = "10s";

        using var process = Process.Start(start)!;
        var stderr = process.StandardError.ReadToEndAsync(Cancelled);
        var said = new StringBuilder();
        Task? visit = null;
        while (await process.StandardOutput.ReadLineAsync(Cancelled) is { } line)
        {
            said.AppendLine(line);
            if (Link().Match(line) is { Success: true } link) visit = VisitAsync(new(link.Groups[1].Value), link.Groups[2].Value);
        }

        await process.WaitForExitAsync(Cancelled);
        var output = said + await stderr;
        Assert.True(process.ExitCode == 0, output);
        Assert.True(visit is not null, $"no dashboard: {output}");
        await visit;
        Assert.Contains("Succeeded", output, StringComparison.Ordinal);
        Assert.Contains("SIGKILL", output, StringComparison.Ordinal);
        Assert.Contains("quarantined", output, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Signs in with the token of the link, as the page does, and finds the job; tries again while the operator starts.</summary>
    private static async Task VisitAsync(Uri page, string token)
    {
        using var http = new HttpClient { BaseAddress = page, Timeout = TimeSpan.FromSeconds(60) };
        var (clock, start, last) = (TimeProvider.System, TimeProvider.System.GetTimestamp(), "");
        while (clock.GetElapsedTime(start) < TimeSpan.FromMinutes(4))
        {
            try
            {
                using var signedIn = await http.PostAsync("api/v1/login", new StringContent(token), Cancelled);
                last = await http.GetStringAsync("api/v1/jobs", Cancelled);
                if (last.Contains("opt-tiny", StringComparison.Ordinal)) return;
            }
            catch (Exception e) when (e is HttpRequestException || (e is TaskCanceledException && !Cancelled.IsCancellationRequested))
            {
                last = e.Message;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(200), clock, Cancelled);
        }

        Assert.Fail($"{page} does not show the job: {last}");
    }

    [GeneratedRegex("dashboard at (http://127.0.0.1:[0-9]+/)#token=([0-9a-f]+)")]
    private static partial Regex Link();
}
