namespace Opt.LocalCluster.Kubelet.Images;

/// <summary>An image that is there: its name and the file or directory it stands for.</summary>
public sealed record LocalImage(string Name, string Path)
{
    private bool IsRoot => Directory.Exists(Path);

    private string EntryPoint => IsRoot ? System.IO.Path.Combine(Path, "entrypoint") : Path;

    /// <summary>
    /// The program and its arguments by Kubernetes' rules: <c>command</c> replaces the entry point, <c>args</c> its arguments. A command that names the image's own
    /// program by its file name, or a path under the image's root, means the local file.
    /// </summary>
    public IReadOnlyList<string> CommandLine(IReadOnlyList<string> command, IReadOnlyList<string> args)
    {
        if (command.Count == 0) return [EntryPoint, .. args];
        return [Program(command[0]), .. command.Skip(1), .. args];
    }

    private string Program(string name)
    {
        if (IsRoot && name.StartsWith('/') && File.Exists(Path + name)) return Path + name;
        return System.IO.Path.GetFileName(name) == System.IO.Path.GetFileName(EntryPoint) && !File.Exists(name) ? EntryPoint : name;
    }
}
