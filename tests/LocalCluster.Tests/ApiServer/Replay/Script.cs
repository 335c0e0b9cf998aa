using System.Text.Json.Nodes;

namespace Opt.LocalCluster.Tests.ApiServer.Replay;

/// <summary>
/// What a recording does not show: requests made between the recorded ones, the values that placeholders in requests stand for, and the
/// differences that are forgiven, each with its reason.
/// </summary>
internal abstract class Script(ReplayServer server)
{
    private readonly Dictionary<string, string> _filled = [];

    protected ReplayServer Server => server;

    /// <summary>The reviews that webhooks were sent during the current step.</summary>
    public List<JsonObject> WebhookCalls { get; } = [];

    /// <summary>Runs before a step.</summary>
    public virtual Task BeforeAsync(int step) => Task.CompletedTask;

    /// <summary>Runs while a step's watch is open.</summary>
    public virtual Task WhileWatchingAsync(int step) => Task.CompletedTask;

    /// <summary>Learns from an answer.</summary>
    public virtual void After(Step step, JsonNode? answer)
    {
    }

    /// <summary>Differences in the body that are forgiven, by step, with the reason. The function removes them from both sides.</summary>
    public virtual IReadOnlyDictionary<int, (string Reason, Func<JsonNode, JsonNode> Forgive)> Exceptions => new Dictionary<int, (string, Func<JsonNode, JsonNode>)>();

    public JsonNode? Forgive(Step step, JsonNode? body) => body is not null && Exceptions.TryGetValue(step.Index, out var exception) ? exception.Forgive(body) : body;

    /// <summary>The value of a placeholder in the next requests.</summary>
    protected void Set(string placeholder, string value) => _filled[placeholder] = value;

    public string Fill(Step step, string text)
    {
        text = text.Replace("\"<time>\"", $"\"{server.Clock.GetUtcNow():yyyy-MM-dd'T'HH:mm:ss'Z'}\"", StringComparison.Ordinal);
        foreach (var (placeholder, value) in _filled) text = text.Replace(placeholder, value, StringComparison.Ordinal);
        return text;
    }

    protected static string Rv(JsonNode item) => (string)item["metadata"]!["resourceVersion"]!;

    protected static string Uid(JsonNode item) => (string)item["metadata"]!["uid"]!;
}
