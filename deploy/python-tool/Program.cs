return await PythonTool.PythonToolApplication.RunAsync(args);
