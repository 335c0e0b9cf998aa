using System.Text.RegularExpressions;

namespace Opt.Layout.Documents;

/// <summary>A command that a document shows: a line of a <c>sh</c> block, or code in a sentence that begins with a known program.</summary>
/// <param name="Document">Its path.</param>
/// <param name="Text">Without its comment, continuation lines joined, blanks made one.</param>
public sealed partial record DocumentedCommand(string Document, string Text)
{
    public static readonly IReadOnlyList<string> Documents = [.. RepoFiles.Under("docs", ".md"), "README.md", "charts/opt-operator/README.md"];

    /// <summary>Every command once for each document that shows it.</summary>
    public static IEnumerable<DocumentedCommand> All => Documents.SelectMany(document => In(document, RepoFiles.Read(document))).Distinct();

    /// <summary>Split as a shell splits it. Of a choice such as <c>kill|cut</c> the first stays; what is in brackets may be left out.</summary>
    public IReadOnlyList<string> Words => [.. Word().Matches(Optional().Replace(Text, "")).Select(m => Quote().Replace(m.Value, "").Split('|')[0]).Where(w => w is not ("" or "&"))];

    public static IEnumerable<DocumentedCommand> In(string document, string text)
    {
        var lines = Fence().Matches(text).Where(f => f.Groups[1].Value == "sh").SelectMany(f => f.Groups[2].Value.Replace("\\\n", " ", StringComparison.Ordinal).Split('\n'));
        var inline = Code().Matches(Fence().Replace(text, "")).Select(m => m.Groups[1].Value.Replace("\\|", "|", StringComparison.Ordinal)).Where(c => Program().IsMatch(c));
        return lines.Concat(inline).Select(l => Blanks().Replace(Comment().Replace(l, ""), " ").Trim()).Where(l => l.Length > 0).Select(l => new DocumentedCommand(document, l));
    }

    /// <summary>Languages of the blocks of a document; "" for a block that names none.</summary>
    public static IEnumerable<string> Languages(string document) => Fence().Matches(RepoFiles.Read(document)).Select(f => f.Groups[1].Value);

    [GeneratedRegex("^```([a-z]*)\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fence();

    [GeneratedRegex("`([^`\n]+)`")]
    private static partial Regex Code();

    // With two words at least a subcommand is named, with one only the program.
    [GeneratedRegex(@"^(make|kubectl|helm|npm|docker|dotnet|eng/[a-z-]+\.sh|(bin/)?opt-(operator|local|trainer)|(bin/)?kubectl-opt) ")]
    private static partial Regex Program();

    [GeneratedRegex(@"(^|\s{1,})#\s.*$")]
    private static partial Regex Comment();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blanks();

    [GeneratedRegex(@"\[[^\]]*\]")]
    private static partial Regex Optional();

    [GeneratedRegex("""(?:[^\s"']|"[^"]*"|'[^']*')+""")]
    private static partial Regex Word();

    [GeneratedRegex("[\"']")]
    private static partial Regex Quote();
}
