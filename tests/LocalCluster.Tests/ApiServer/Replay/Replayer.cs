using System.Net;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Xunit;

namespace Opt.LocalCluster.Tests.ApiServer.Replay;

/// <summary>Plays one transcript against a live cluster and keeps score.</summary>
internal sealed class Replayer(ReplayServer server, Transcript transcript, Script script)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly JsonSerializerOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private readonly List<StepResult> _results = [];

    public async Task<IReadOnlyList<StepResult>> PlayAsync()
    {
        foreach (var step in transcript.Steps)
        {
            await script.BeforeAsync(step.Index);
            await server.IdleAsync();
            try
            {
                _results.Add(step.WatchEvents is null ? await PlayAsync(step) : await WatchAsync(step));
            }
            catch (HttpRequestException e)
            {
                _results.Add(new StepResult(transcript.Scenario, step, 0, e.Message, e.Message));
            }
        }

        return _results;
    }

    private async Task<StepResult> PlayAsync(Step step)
    {
        var client = transcript.Scenario == "access" && step.Index < 2 ? server.Anonymous : server.Admin;
        var body = step.Body switch { null => null, JsonValue text => (string)text!, var node => script.Fill(step, node.ToJsonString(Relaxed)) };
        script.WebhookCalls.Clear();
        var (status, type, text2) = await server.SendAsync(client, step.Method, script.Fill(step, step.Path), body, step.ContentType, step.Accept, step.Authorization);
        await server.IdleAsync();
        var answer = Parse(type, text2);
        script.After(step, answer);
        var difference = Compare(step, type, answer) ?? CompareWebhooks(step);
        return new StepResult(transcript.Scenario, step, status, status == step.Status ? null : $"status {status} instead of {step.Status}: {text2}", difference);
    }

    private string? Compare(Step step, string? type, JsonNode? answer)
    {
        if (type != step.AnswerType) return $"content type is {type} instead of {step.AnswerType}";
        return Comparable.Difference(script.Forgive(step, Comparable.Of(step.Answer)), script.Forgive(step, Comparable.Of(answer)));
    }

    private string? CompareWebhooks(Step step)
    {
        if (step.WebhookCalls is null) return null;
        var calls = new JsonArray([.. script.WebhookCalls.Select(c => c.DeepClone())]);
        return Comparable.Difference(Comparable.Of(step.WebhookCalls), Comparable.Of(calls), "webhookCalls");
    }

    private async Task<StepResult> WatchAsync(Step step)
    {
        using var answer = await server.OpenAsync(script.Fill(step, step.Path), step.Accept);
        var seen = new JsonArray();
        var reading = ReadAsync(answer, seen, step.WatchEvents!.Count, TestContext.Current.CancellationToken);
        await script.WhileWatchingAsync(step.Index);
        if (await Task.WhenAny(reading, Task.Delay(Patience, TimeProvider.System)) != reading) return new StepResult(transcript.Scenario, step, (int)answer.StatusCode, null, $"only {seen.Count} of {step.WatchEvents.Count} events came");
        await reading;
        var difference = answer.StatusCode == HttpStatusCode.OK ? Comparable.Difference(Comparable.Of(step.WatchEvents), Comparable.Of(seen)) : "not a watch";
        return new StepResult(transcript.Scenario, step, (int)answer.StatusCode, (int)answer.StatusCode == step.Status ? null : $"status {answer.StatusCode}", difference);
    }

    // Reads what is expected; when nothing is, the server itself must end the watch.
    private static async Task ReadAsync(HttpResponseMessage answer, JsonArray seen, int count, CancellationToken ct)
    {
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(ct));
        while (seen.Count < count || count == 0)
        {
            if (await reader.ReadLineAsync(ct) is not { } line) return;
            seen.Add(JsonNode.Parse(line));
        }
    }

    private static JsonNode? Parse(string? type, string text) => type?.StartsWith("application/json", StringComparison.Ordinal) == true ? JsonNode.Parse(text) : JsonValue.Create(text);
}

/// <summary>How one step went; null where it went as recorded.</summary>
internal sealed record StepResult(string Scenario, Step Step, int Status, string? StatusDifference, string? BodyDifference)
{
    public override string ToString() => $"{Scenario} {Step.Index} ({Step.Name}): {StatusDifference ?? BodyDifference ?? "as recorded"}";
}
