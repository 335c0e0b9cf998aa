using Opt.Testing;

namespace Opt.Layout;

/// <summary>The files of the repository that people write, by path relative to its root with forward slashes.</summary>
public static class RepoFiles
{
    // What .gitignore leaves out, at any depth.
    private static readonly HashSet<string> Ignored = ["artifacts", "bin", "node_modules", ".cache", ".git", ".vs", ".idea", "__pycache__"];

    public static readonly IReadOnlyList<string> All = [.. Walk(new DirectoryInfo(Repo.PathOf())).Order(StringComparer.Ordinal)];

    public static IEnumerable<string> Under(string folder, string extension) =>
        All.Where(p => p.StartsWith(folder + "/", StringComparison.Ordinal) && p.EndsWith(extension, StringComparison.Ordinal));

    public static string Read(string path) => File.ReadAllText(Repo.PathOf(path));

    private static IEnumerable<string> Walk(DirectoryInfo folder)
    {
        foreach (var file in folder.EnumerateFiles()) yield return Path.GetRelativePath(Repo.PathOf(), file.FullName);
        foreach (var inner in folder.EnumerateDirectories().Where(d => !Ignored.Contains(d.Name) && d.LinkTarget is null))
        {
            foreach (var path in Walk(inner)) yield return path;
        }
    }
}
