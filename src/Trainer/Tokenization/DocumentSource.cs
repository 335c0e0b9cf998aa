using System.Text;
using System.Text.Json;
using Opt.Api.Protocol;

namespace Opt.Trainer.Tokenization;

/// <summary>How a text file is cut into documents.</summary>
public enum DocumentBoundary
{
    /// <summary>JSON lines (*.jsonl) by line; any other file is one document.</summary>
    Auto,

    /// <summary>Every file is one document.</summary>
    File,

    /// <summary>Two or more blank lines end a document (a single one ends a paragraph).</summary>
    BlankLines,

    /// <summary>Every line is a JSON object with a member "text".</summary>
    Jsonl,
}

/// <summary>Streams the documents of text files. Only trailing whitespace is stripped, as OPT did; documents empty after that are left out.</summary>
public static class DocumentSource
{
    /// <exception cref="TrainerException">Data: a file cannot be read, or a JSON line is not one.</exception>
    public static IEnumerable<string> Read(string file, DocumentBoundary boundary)
    {
        var resolved = boundary != DocumentBoundary.Auto ? boundary
            : file.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase) ? DocumentBoundary.Jsonl : DocumentBoundary.File;
        var documents = resolved switch
        {
            DocumentBoundary.Jsonl => JsonLines(file),
            DocumentBoundary.BlankLines => BlankLines(file),
            _ => [File.ReadAllText(file)],
        };
        return documents.Select(d => d.TrimEnd()).Where(d => d.Length > 0);
    }

    private static IEnumerable<string> BlankLines(string file)
    {
        var document = new StringBuilder();
        var blank = 0;
        foreach (var line in File.ReadLines(file))
        {
            blank = string.IsNullOrWhiteSpace(line) ? blank + 1 : 0;
            if (blank == 0 || document.Length > 0) document.Append(line).Append('\n');
            if (blank < 2) continue;
            yield return document.ToString();
            document.Clear();
        }

        yield return document.ToString();
    }

    private static IEnumerable<string> JsonLines(string file)
    {
        var number = 0;
        foreach (var line in File.ReadLines(file))
        {
            number++;
            if (!string.IsNullOrWhiteSpace(line)) yield return Parse(line, file, number);
        }
    }

    private static string Parse(string line, string file, int number)
    {
        try
        {
            return JsonSerializer.Deserialize(line, TokenizationJson.Default.JsonlDocument)?.Text
                ?? throw new TrainerException(WorkerExit.Data, $"{file}, line {number}: no member \"text\"");
        }
        catch (JsonException e)
        {
            throw new TrainerException(WorkerExit.Data, $"{file}, line {number}: not a JSON object: {e.Message}", e);
        }
    }
}
