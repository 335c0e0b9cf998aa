using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Operator.Agents;
using Opt.Operator.Dashboard.Curves;
using Xunit;

namespace Opt.Operator.Tests.Dashboard;

/// <summary>An operator that starts late, or again, knows the whole run.</summary>
public sealed class PastTests
{
    private static readonly AgentTarget Target = new("opt-0", "uid", "127.0.0.1", 9440, "token");

    [Fact]
    public async Task Curves_begin_with_the_first_epoch_and_go_on_with_what_the_agent_has_not_stored_yet()
    {
        using var run = new StoredRun();
        using var client = run.Client();
        var columns = new StepColumns();

        var after = await PastReader.ReadAsync(columns, client, Target, epoch: 3, TestContext.Current.CancellationToken);
        var (steps, values) = columns.Thinned(10_000, 0, long.MaxValue - 1);

        // Epoch 1 took 500 steps, epoch 3 began again at 401 and is at 700, of which the store has 600.
        Assert.Equal(Enumerable.Range(1, 700).Select(s => (long)s), steps);
        Assert.Equal([1.0, 3.0], [values[0][399], values[0][400]]);
        Assert.Equal(300, after);
    }

    [Fact]
    public async Task A_store_that_does_not_answer_is_the_callers_to_try_again()
    {
        using var run = new StoredRun { IsDown = true };
        using var client = run.Client();

        var e = await Assert.ThrowsAsync<AgentException>(() => PastReader.ReadAsync(new(), client, Target, 3, TestContext.Current.CancellationToken));

        Assert.Contains("the store did not answer", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_logbook_keeps_an_event_once_and_with_its_outcome_whoever_tells_it_first()
    {
        var record = new RunRecord();
        var entry = new LogbookEntry { Time = SampleData.Start, Epoch = 1, Step = 1, Actor = "operator", What = "rolled back", Why = "a spike" };
        record.Note([entry, entry with { Time = SampleData.Start.AddHours(1) }]);
        record.Note([entry with { Outcome = "the loss fell" }]);
        record.Note([entry]);

        Assert.Equal(["the loss fell", null], record.Logbook.Select(e => e.Outcome));
        Assert.Equal(2, record.LogbookVersion);
    }

    [Fact]
    public void A_logbook_without_end_keeps_its_newest_entries()
    {
        var record = new RunRecord();
        record.Note(Enumerable.Range(0, 6000).Select(i => new LogbookEntry { Time = SampleData.Start.AddSeconds(i), Epoch = 1, Step = i, Actor = "operator", What = "waited", Why = "" }));

        Assert.Equal((5000, 1000L, 5999L), (record.Logbook.Count, record.Logbook[0].Step, record.Logbook[^1].Step));
    }

    /// <summary>An agent that answers from a store of three epochs: of 500 steps, of none, and a running one.</summary>
    private sealed class StoredRun : HttpMessageHandler
    {
        public bool IsDown { get; init; }

        public AgentClient Client() => new(new HttpMessageInvoker(this), TimeProvider.System);

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var query = request.RequestUri!.Query.TrimStart('?').Split('&').Select(p => p.Split('=')).ToDictionary(p => p[0], p => int.Parse(p[1], System.Globalization.CultureInfo.InvariantCulture));
            if (IsDown) return Answer(HttpStatusCode.ServiceUnavailable, new AgentError { Error = "the store did not answer" }, ProtocolJson.Default.AgentError);
            return request.RequestUri.AbsolutePath == "/v1/archive"
                ? Answer(HttpStatusCode.OK, Archive(query["epoch"], query["after"]), ProtocolJson.Default.ArchivePage)
                : Answer(HttpStatusCode.OK, Running(query["after"]), ProtocolJson.Default.StepsPage);
        }

        /// <summary>Parts of a hundred records, two a page.</summary>
        private static ArchivePage Archive(int epoch, int after)
        {
            var (first, last) = epoch switch { 1 => (1, 500), 3 => (401, 600), _ => (1, 0) };
            StepRecord[] all = [.. Enumerable.Range(first, Math.Max(0, last - first + 1)).Skip(after * 100).Take(200).Select(step => Record(epoch, step))];
            var next = after + all.Length / 100;
            return new() { Next = next, Ended = first + next * 100 > last, Records = [.. all] };
        }

        private static StepsPage Running(int after)
        {
            StepRecord[] page = [.. Enumerable.Range(401, 300).Skip(after).Take(120).Select(step => Record(3, step))];
            return new() { Instance = "i", Epoch = 3, Next = after + page.Length, Records = [.. page] };
        }

        private static StepRecord Record(int epoch, int step) => SampleData.Record(step, new(1)) with
        {
            Epoch = epoch, Loss = epoch,
            HyperParameters = new()
            {
                PeakLearningRate = 1e-4, EndLearningRate = 1e-5, WarmupSteps = 1, DecaySteps = 1, GradientClip = 1, Optimizer = new(), LossScaleWindow = 1, LossScaleFloor = 0, LossScaleWindowRule = LossScaleWindow.Fixed, LossScaleInitial = 1, TotalSteps = 1,
            },
        };

        private static Task<HttpResponseMessage> Answer<T>(HttpStatusCode code, T body, JsonTypeInfo<T> type) =>
            Task.FromResult(new HttpResponseMessage(code) { Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, type)) });
    }
}
