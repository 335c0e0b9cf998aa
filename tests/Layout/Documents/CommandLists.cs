namespace Opt.Layout.Documents;

/// <summary>The sections of <c>tests/Layout/commands.txt</c>.</summary>
public static class CommandLists
{
    /// <summary>Each command with the heading that it stands under, such as <c>live</c> or <c>test CLASS.METHOD</c>, in order.</summary>
    public static IReadOnlyList<(string Heading, string Command)> Read()
    {
        var (entries, heading) = (new List<(string, string)>(), "");
        foreach (var line in RepoFiles.Read("tests/Layout/commands.txt").Split('\n').Where(l => l.Length > 0 && !l.StartsWith('#')))
        {
            if (line.StartsWith('[') && line.EndsWith(']')) heading = line[1..^1];
            else entries.Add((heading, line));
        }

        return entries;
    }
}
