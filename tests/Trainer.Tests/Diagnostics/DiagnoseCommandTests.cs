using System.Text.Json;
using Opt.Api.Protocol;
using Opt.Trainer.Tests.Data;
using Opt.Trainer.Tests.Loop;
using Xunit;

namespace Opt.Trainer.Tests.Diagnostics;

public sealed class DiagnoseCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Three_members_test_their_network_all_with_all_and_a_bad_one_is_seen_by_the_others()
    {
        TinyRun.RequireTorch();
        var (exit, good) = await RunAsync("--set", "network", "--members", "3", "--json");
        Assert.Equal(0, exit);
        Assert.Equal(3, good.Length);
        Assert.All(good, r => Assert.Equal((DiagnosticsState.Passed, 2), (r.State, r.With.Count)));

        await File.WriteAllTextAsync(_folder["diagnose-collectives-member-1"], "", Cancelled);
        (exit, var bad) = await RunAsync("--set", "network", "--members", "3", "--json");
        Assert.Equal((int)WorkerExit.NodeFaulty, exit);
        Assert.All(bad, r => Assert.Equal(DiagnosticsState.Failed, r.State));
    }

    [Fact]
    public async Task The_quick_set_says_what_it_tested_and_its_exit_code_says_whether_the_node_is_good()
    {
        TinyRun.RequireTorch();
        var (exit, reports) = await RunAsync("--json", "--scratch", _folder.Path);
        Assert.Equal([DiagnosticTests.Devices, DiagnosticTests.Memory, DiagnosticTests.MatrixProduct, DiagnosticTests.Disk, DiagnosticTests.TrainingStep], Assert.Single(reports).Tests.Select(t => t.Test));
        Assert.Equal((0, DiagnosticsState.Passed), (exit, reports[0].State));
    }

    [Theory]
    [InlineData("--set", "network")]
    [InlineData("--members", "0")]
    [InlineData("--addresses", "10.0.0.1")]
    [InlineData("--addresses", "10.0.0.1,10.0.0.2", "--rank", "2")]
    public async Task Flags_that_make_no_sense_are_refused_by_name(params string[] flags)
    {
        var (exit, error) = await TrainProcess.RunAsync(Cancelled, ["diagnose", .. flags]);
        Assert.Equal((int)WorkerExit.Usage, exit);
        Assert.Contains(flags[^2], error, StringComparison.Ordinal);
    }

    private async Task<(int Exit, DiagnosticsReport[] Reports)> RunAsync(params string[] flags)
    {
        using var process = TrainProcess.Start(new Dictionary<string, string> { ["OPT_FAULT_FOLDER"] = _folder.Path }, ["diagnose", .. flags]);
        var errors = process.StandardError.ReadToEndAsync(Cancelled);
        var output = await process.StandardOutput.ReadToEndAsync(Cancelled);
        await errors;
        await process.WaitForExitAsync(Cancelled);
        return (process.ExitCode, [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonSerializer.Deserialize(l, ProtocolJson.Default.DiagnosticsReport)!)]);
    }
}
