using System.Text.Json;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Checkpoints.Commands;
using Opt.Trainer.Stores;
using Spectre.Console;
using Xunit;

namespace Opt.Trainer.Tests.Checkpoints;

/// <summary><c>opt-trainer checkpoints</c> over a store with steps 1 to 5, of which 2 and 3 are healthy.</summary>
public sealed class CheckpointCommandTests : IAsyncLifetime
{
    private readonly TestDirectory _directory = new();
    private readonly TestDirectory _other = new();

    public async ValueTask InitializeAsync()
    {
        var store = _directory.Open();
        using var log = TestRun.Log(store);
        await log.FenceAsync(1, adopt: false, default);
        await using var run = TestRun.Start(store, 1, TestModel.World(2, 1, step: 1));
        for (var step = 1; step <= 5; step++) Assert.True((await run.SaveAsync(step)).Committed);
        foreach (var entry in (await log.ReadAsync(default)).Checkpoints.Values.Where(c => c.Commit.Step is 2 or 3).Select(c => c.Entry).ToArray())
        {
            await log.AppendAsync(_ => CommitLog.Entry(LogEntryKind.Verdict, 1) with { Verdict = new() { Checkpoint = entry, Verdict = HealthVerdict.Healthy, Reason = "test" } }, default);
        }
    }

    public ValueTask DisposeAsync()
    {
        _directory.Dispose();
        _other.Dispose();
        return default;
    }

    [Fact]
    public async Task List_shows_the_newest_first_and_as_json_the_catalogue()
    {
        var lines = (await RunAsync("list")).Split('\n').Where(l => l.Contains('#')).ToArray();
        Assert.Equal(5, lines.Length);
        Assert.StartsWith("5", lines[0].Trim(), StringComparison.Ordinal);
        Assert.Contains("healthy", lines[2], StringComparison.Ordinal);
        Assert.Contains("pending", lines[0], StringComparison.Ordinal);
        var catalogue = JsonSerializer.Deserialize(await RunAsync("list", "-o", "json"), ProtocolJson.Default.Catalogue)!;
        Assert.Equal([1L, 2L, 3L, 4L, 5L], catalogue.Checkpoints.Select(c => c.Step));
        Assert.Contains("no checkpoints in", await RunInAsync(_other, "list"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("latest", "step                5")]
    [InlineData("healthy", "step                3")]
    [InlineData("healthy@5", "step                3")]
    [InlineData("healthy@2", "step                2")]
    [InlineData("4", "step                4")]
    [InlineData("#2", "step                1")]
    public async Task Show_takes_a_step_an_entry_latest_or_healthy(string reference, string expected)
    {
        var shown = string.Join('\n', (await RunAsync("show", reference)).Split('\n').Select(l => l.Trim()));
        var step = shown.Split('\n').First(l => l.StartsWith("step", StringComparison.Ordinal));
        Assert.Equal(expected.Split(' ', StringSplitOptions.RemoveEmptyEntries), step.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains("loss scale", shown, StringComparison.Ordinal);
        Assert.Contains("2 ranks, tensor parallel 1", shown, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("7", "no checkpoint \"7\"; there are steps 1, 2, 3, 4, 5")]
    [InlineData("newest", "\"newest\" names no checkpoint: use a step, #ENTRY, latest, healthy or healthy@STEP")]
    [InlineData("healthy@1", "no checkpoint \"healthy@1\"; there are steps 1, 2, 3, 4, 5")]
    public async Task A_reference_to_nothing_is_answered_with_what_there_is(string reference, string message) =>
        Assert.Equal(message, (await Assert.ThrowsAsync<CheckpointException>(() => RunAsync("show", reference))).Message);

    [Fact]
    public async Task Verify_reads_every_byte_and_names_what_is_damaged()
    {
        Assert.Contains("5 checkpoints verified", await RunAsync("verify"), StringComparison.Ordinal);
        var file = Directory.GetFiles(_directory.Path, "rank-00001.safetensors", SearchOption.AllDirectories).Order().ElementAt(1);
        var bytes = await File.ReadAllBytesAsync(file);
        bytes[^1] ^= 1;
        await File.WriteAllBytesAsync(file, bytes);
        var error = await Assert.ThrowsAsync<CheckpointException>(() => RunAsync("verify"));
        Assert.StartsWith("step 2: ", error.Message, StringComparison.Ordinal);
        Assert.Contains("rank-00001.safetensors is damaged", error.Message, StringComparison.Ordinal);
        Assert.Contains("2 checkpoints verified", await RunAsync("verify", "4", "latest"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Verify_draws_a_bar_for_each_checkpoint_where_there_is_a_terminal()
    {
        var drawn = await RunInAsync(_directory, interactive: true, "verify", "4", "5");
        Assert.Contains("step 4", drawn, StringComparison.Ordinal);
        Assert.Contains("100%", drawn, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Prune_and_copy_draw_bars_too()
    {
        foreach (var arguments in new string[][] { ["prune", "--keep-last", "1", "--keep-every", "0"], ["copy", "3", "--to", _other.Path] })
        {
            Assert.Contains("100%", await RunInAsync(_directory, interactive: true, arguments), StringComparison.Ordinal);
        }

        Assert.Equal([2L, 3L, 5L], await StepsAsync(_directory));
        Assert.Equal([3L], await StepsAsync(_other));
    }

    [Fact]
    public async Task Prune_keeps_the_last_the_pinned_and_the_last_two_healthy_and_a_dry_run_changes_nothing()
    {
        Assert.Contains("pinned step 1", await RunAsync("pin", "1"), StringComparison.Ordinal);
        Assert.Contains("would retire step 4", await RunAsync("prune", "--keep-last", "1", "--keep-every", "0", "--dry-run"), StringComparison.Ordinal);
        Assert.Equal([1L, 2L, 3L, 4L, 5L], await StepsAsync(_directory));

        Assert.Contains("retired step 4", await RunAsync("prune", "--keep-last", "1", "--keep-every", "0"), StringComparison.Ordinal);
        Assert.Equal([1L, 2L, 3L, 5L], await StepsAsync(_directory));
        Assert.Equal(4, Directory.GetDirectories(Path.Combine(_directory.Path, "checkpoints")).Length);
        Assert.Contains("nothing to prune", await RunAsync("prune", "--keep-last", "1", "--keep-every", "0"), StringComparison.Ordinal);

        Assert.Contains("unpinned step 1", await RunAsync("pin", "1", "--off"), StringComparison.Ordinal);
        await RunAsync("prune", "--keep-last", "1", "--keep-every", "0");
        Assert.Equal([2L, 3L, 5L], await StepsAsync(_directory));
    }

    [Fact]
    public async Task Condemned_is_never_healthy_again()
    {
        Assert.Contains("condemned step 3", await RunAsync("condemn", "3", "--reason", "loss was rising"), StringComparison.Ordinal);
        Assert.Contains("loss was rising", await RunAsync("list"), StringComparison.Ordinal);
        Assert.Contains("2", (await RunAsync("show", "healthy")).Split('\n').First(l => l.TrimStart().StartsWith("step", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Copy_takes_a_verified_checkpoint_with_its_verdict_to_another_store_once()
    {
        Assert.Contains($"copied step 3 to {_other.Path}", await RunAsync("copy", "3", "--to", _other.Path), StringComparison.Ordinal);
        Assert.Contains("1 checkpoints verified", await RunInAsync(_other, "verify"), StringComparison.Ordinal);
        Assert.Contains("healthy", await RunInAsync(_other, "list"), StringComparison.Ordinal);
        Assert.Contains("already", (await Assert.ThrowsAsync<CheckpointException>(() => RunAsync("copy", "3", "--to", _other.Path))).Message, StringComparison.Ordinal);

        await using var loader = TestRun.Start(_other.Open(), 1, TestModel.World(3, 1, step: null));
        using var log = TestRun.Log(_other.Open());
        Assert.Equal(3, (await loader.RestoreAsync((await log.ReadAsync(default)).ToCatalogue().Checkpoints[0])).Checkpoint.Step);
    }

    [Fact]
    public async Task Copy_into_the_store_of_another_job_is_refused()
    {
        using var foreign = TestRun.Log(_other.Open(), uid: "somebody-else");
        await foreign.FenceAsync(1, adopt: false, default);
        Assert.Contains("belongs to the job with UID somebody-else", (await Assert.ThrowsAsync<StoreFencedException>(() => RunAsync("copy", "3", "--to", _other.Path))).Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(_other.Path, "checkpoints")));
    }

    private Task<string> RunAsync(params string[] arguments) => RunInAsync(_directory, arguments);

    private static Task<string> RunInAsync(TestDirectory store, params string[] arguments) => RunInAsync(store, interactive: false, arguments);

    private static async Task<string> RunInAsync(TestDirectory store, bool interactive, params string[] arguments)
    {
        var text = new StringWriter();
        var console = AnsiConsole.Create(new()
        {
            Out = new AnsiConsoleOutput(text),
            Ansi = interactive ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = ColorSystemSupport.NoColors,
            Interactive = interactive ? InteractionSupport.Yes : InteractionSupport.No,
        });
        console.Profile.Width = 300;
        var parsed = CheckpointsCommand.Create(console).Parse([.. arguments, "--store", store.Path]);
        Assert.Empty(parsed.Errors);
        await parsed.InvokeAsync(new() { EnableDefaultExceptionHandler = false });
        return text.ToString();
    }

    private static async Task<IEnumerable<long>> StepsAsync(TestDirectory store)
    {
        using var log = TestRun.Log(store.Open());
        return (await log.ReadAsync(default)).Checkpoints.Values.Select(c => c.Commit.Step);
    }
}
