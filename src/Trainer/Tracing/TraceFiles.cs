using System.Text.Json;

namespace Opt.Trainer.Tracing;

/// <summary>Each rank leaves its events as a file of lines; one file for the viewer is made of them when all have ended.</summary>
internal static class TraceFiles
{
    private const string Parts = "trace-*.jsonl";

    public static string PartOf(string folder, int rank) => Path.Combine(folder, $"trace-{rank}.jsonl");

    public static void WritePart(string path, IEnumerable<TraceEvent> events) =>
        File.WriteAllLines(path, events.Select(e => JsonSerializer.Serialize(e, TraceJson.Default.TraceEvent)));

    /// <summary>Joins the parts that are in a folder into one trace.</summary>
    public static void Join(string folder, string path)
    {
        var events = Directory.EnumerateFiles(folder, Parts).Order(StringComparer.Ordinal).SelectMany(File.ReadLines).ToList();
        File.WriteAllText(path, $$"""{"displayTimeUnit":"ms","traceEvents":[{{"\n"}}{{string.Join(",\n", events)}}{{"\n"}}]}{{"\n"}}""");
    }

    /// <summary>The events of a trace, for tools and tests.</summary>
    public static IReadOnlyList<TraceEvent> Read(string path)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(path));
        return [.. document.RootElement.GetProperty("traceEvents").EnumerateArray().Select(e => e.Deserialize(TraceJson.Default.TraceEvent)!)];
    }
}
