using System.Text;

namespace Opt.LocalCluster.ApiServer.Auth;

/// <summary>Files that hold credentials.</summary>
internal static class PrivateFile
{
    /// <summary>Writes the file whole or not at all, readable by its owner only.</summary>
    public static void Write(string file, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(file))!);
        var temporary = $"{file}.{Environment.ProcessId}.tmp";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using (var stream = new FileStream(temporary, options)) stream.Write(Encoding.UTF8.GetBytes(text));
        File.Move(temporary, file, overwrite: true);
    }
}
