using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Opt.Api.V1Alpha1;

namespace Opt.Api.Protocol;

/// <summary>
/// The logbook of a job as ConfigMaps that the job owns: pages of JSON lines in the order in which they were written. An event that is told again, now that its
/// outcome is known, has a second line, which counts.
/// </summary>
public static class LogbookPages
{
    /// <summary>On each of these ConfigMaps: the number of the page, counted from 1.</summary>
    public const string Label = $"{OptTrainingJob.Group}/logbook";

    /// <summary>Key of the lines.</summary>
    public const string Key = "entries.jsonl";

    /// <summary>As readable as JSON can be: people look at ConfigMaps.</summary>
    private static readonly JsonTypeInfo<LogbookEntry> EntryJson = (JsonTypeInfo<LogbookEntry>)new JsonSerializerOptions(ProtocolJson.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }.GetTypeInfo(typeof(LogbookEntry));

    /// <summary>Name of a page.</summary>
    public static string Name(string job, int page) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{job}-logbook-{page}");

    /// <summary>One entry, with its line feed.</summary>
    public static string Line(LogbookEntry entry) => JsonSerializer.Serialize(entry, EntryJson) + "\n";

    /// <summary>The entries of a page as they were written; a line that a person broke, or that another version wrote, is left out.</summary>
    public static IEnumerable<LogbookEntry> Read(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Parse).OfType<LogbookEntry>();
    }

    private static LogbookEntry? Parse(string line)
    {
        try
        {
            return JsonSerializer.Deserialize(line, EntryJson);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
